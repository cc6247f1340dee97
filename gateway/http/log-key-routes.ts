import type { Route } from '../../runtime/admin-api.ts'
import type { PublishedKeys } from '../transparency/key-registration.ts'

/** The verifier keys of this gateway, for an operator who lists them by hand. */
export function createLogKeyRoutes(keys: () => Pick<PublishedKeys, 'log' | 'witness'>): Route[] {
  return [
    {
      method: 'GET',
      path: '/admin/log-keys',
      access: 'admin',
      handle: () => {
        const { log, witness } = keys()
        return { body: { log, ...(witness === undefined ? {} : { witness }) } }
      },
    },
  ]
}
