import { ExchangeError } from '../protocol/errors.ts'
import type { ApiReply, ApiRequest, Route } from '../runtime/admin-api.ts'
import { anyObject, json, media, object, text, time, whole } from '../runtime/route-description.ts'
import type { CatalogueContext } from './context.ts'
import { matchesEntityTag, readWaitMs } from './request-preferences.ts'

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
    {
      method: 'GET',
      path: '/snapshot',
      access: 'public',
      about: {
        summary: 'The newest signed snapshot',
        details:
          'With If-None-Match and Prefer: wait=N, held until there is another one (protocol/README.md §7.3).',
        answers: {
          200: media('application/jose'),
          304: { description: 'The caller has it already.' },
        },
      },
      handle: (request) => answerSnapshot({ publisher, clock }, request),
    },
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

/**
 * The current snapshot; 304 to a caller that has it. With `Prefer: wait=N` such a caller is held
 * until there is another, and so learns of a change at once.
 */
async function answerSnapshot(
  { publisher, clock }: Pick<CatalogueContext, 'publisher' | 'clock'>,
  request: ApiRequest,
): Promise<ApiReply> {
  const { headers, signal } = request
  const held = publisher.current().etag
  const waitMs = matchesEntityTag(headers, held) ? readWaitMs(headers) : undefined
  if (waitMs !== undefined) await publisher.waitForOther(held, waitMs, signal)
  const { body, etag } = publisher.current()
  const common = {
    etag,
    // Gateways compare their clocks with it (RFC 9110 §6.6.1)
    date: clock().toUTCString(),
    'cache-control': 'no-cache',
    ...(waitMs === undefined ? {} : { 'preference-applied': 'wait' }),
    // The server is closing: an idle connection would keep it
    ...(publisher.stopped ? { connection: 'close' } : {}),
  }
  if (matchesEntityTag(headers, etag)) return { status: 304, headers: common }
  return { headers: { ...common, 'content-type': 'application/jose' }, body }
}
