import { ExchangeError } from '../protocol/errors.ts'
import type { Route } from '../runtime/admin-api.ts'
import type { Witness } from './witness.ts'
import type { KeptRefusal, WitnessState } from './witness-state.ts'

/** Below the address of a gateway or the catalogue: submission and monitoring prefix at once. */
export const WITNESS_PREFIX = '/witness'

/** What logs and monitors ask of a witness (C2SP tlog-witness, "HTTP Interface"). */
export function createWitnessRoutes(witness: Witness): (Route & { readonly access: 'public' })[] {
  return [
    {
      method: 'POST',
      path: `${WITNESS_PREFIX}/add-checkpoint`,
      access: 'public',
      rawBody: '*',
      handle: async ({ body }) => {
        const text = Buffer.isBuffer(body) ? body.toString('utf8') : ''
        const { status, type, text: answer } = await witness.addCheckpoint(text)
        return { status, headers: { 'content-type': type }, body: answer }
      },
    },
    {
      method: 'GET',
      path: `${WITNESS_PREFIX}/:originHash/checkpoint`,
      access: 'public',
      handle: ({ params: { originHash } }) => {
        const note = witness.checkpoint(originHash ?? '')
        if (note === undefined) {
          throw new ExchangeError('admin.not-found', 'no checkpoint of this log was cosigned here')
        }
        const headers = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache' }
        return { headers, body: note }
      },
    },
  ]
}

/** What an administrator sees of a witness: which logs it follows, and what it refused to cosign. */
export function createWitnessAdminRoutes(
  witness: Witness,
  state: Pick<WitnessState, 'refusals'>,
): Route[] {
  return [
    {
      method: 'GET',
      path: '/admin/witness',
      access: 'admin',
      handle: () => ({ body: witness.describe() }),
    },
    {
      method: 'GET',
      path: '/admin/witness/refusals',
      access: 'admin',
      handle: () => ({ body: { refusals: state.refusals() satisfies KeptRefusal[] } }),
    },
  ]
}
