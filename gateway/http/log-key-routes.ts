import type { Route } from '../../runtime/admin-api.ts'
import { json, object, text } from '../../runtime/route-description.ts'
import type { PublishedKeys } from '../transparency/key-registration.ts'

const KEY = object({ vkey: text }, { url: text })

/** The verifier keys of this gateway, for an operator who lists them by hand. */
export function createLogKeyRoutes(keys: () => Pick<PublishedKeys, 'log' | 'witness'>): Route[] {
  return [
    {
      method: 'GET',
      path: '/admin/log-keys',
      access: 'admin',
      about: {
        summary: 'Keys of the log of this gateway, and of its witness',
        answers: { 200: json(object({ log: KEY }, { witness: KEY })) },
      },
      handle: () => {
        const { log, witness } = keys()
        return { body: { log, ...(witness === undefined ? {} : { witness }) } }
      },
    },
  ]
}
