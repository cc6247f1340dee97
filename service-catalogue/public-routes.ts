import { ExchangeError } from '../protocol/errors.ts'
import type { Route } from '../runtime/admin-api.ts'
import { anyObject, json, object, text, time, whole } from '../runtime/route-description.ts'
import type { CatalogueContext } from './context.ts'
import { createSnapshotRoute } from './snapshot-route.ts'

/** What gateways fetch. Everything in it is signed or named by its digest, so nobody logs in. */
export function createPublicRoutes({ db, instance, publisher, clock }: CatalogueContext): Route[] {
  return [
    {
      method: 'GET',
      path: '/status',
      access: 'public',
      about: {
        summary: 'Whether the catalogue is there',
        answers: {
          200: json(
            object({
              program: { const: 'catalogue' },
              instance: text,
              snapshotNumber: whole,
              expiresAt: time,
            }),
          ),
        },
      },
      handle: () => {
        const { number, expiresAt } = publisher.current()
        return {
          headers: { 'cache-control': 'no-store' },
          body: {
            program: 'catalogue',
            instance,
            snapshotNumber: number,
            expiresAt: expiresAt.toISOString(),
          },
        }
      },
    },
    createSnapshotRoute({ db, publisher, clock }),
    {
      method: 'GET',
      path: '/descriptions/:digest',
      access: 'public',
      about: {
        summary: 'The OpenAPI description of a service, by its digest',
        answers: { 200: json(anyObject('An OpenAPI description.')) },
        refusals: ['admin.not-found'],
      },
      handle: ({ params }) => {
        const row = db.get<{ body: Uint8Array }>(
          'SELECT body FROM description WHERE digest = ?',
          params.digest ?? '',
        )
        if (!row) throw new ExchangeError('admin.not-found', 'there is no description of this name')
        return {
          headers: {
            'content-type': 'application/json',
            'cache-control': 'public, max-age=31536000, immutable',
            etag: `"${params.digest}"`,
          },
          body: row.body,
        }
      },
    },
  ]
}
