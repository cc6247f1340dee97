import { ExchangeError } from '../protocol/errors.ts'
import type { Route } from '../runtime/admin-api.ts'
import {
  flag,
  json,
  listOf,
  media,
  named,
  object,
  text,
  time,
  whole,
} from '../runtime/route-description.ts'
import type { Witness } from './witness.ts'
import type { KeptRefusal, WitnessState } from './witness-state.ts'

/** Below the address of a gateway or the catalogue: submission and monitoring prefix at once. */
export const WITNESS_PREFIX = '/witness'

export const WITNESS_HEALTH = named(
  'WitnessHealth',
  object({
    name: text,
    logs: listOf(object({ origin: text, size: whole, at: time })),
    misbehaving: listOf(object({ origin: text, kind: text, at: time })),
    refused: { type: 'object', additionalProperties: whole, description: 'By kind.' },
  }),
)
const REFUSAL = named(
  'WitnessRefusal',
  object({
    kind: text,
    origin: text,
    at: time,
    refused: { ...text, description: 'The note that was refused.' },
    cosigned: { ...text, description: 'The note that the witness had cosigned.' },
    isOpen: flag,
  }),
)

/** What logs and monitors ask of a witness (C2SP tlog-witness, "HTTP Interface"). */
export function createWitnessRoutes(witness: Witness): (Route & { readonly access: 'public' })[] {
  return [
    {
      method: 'POST',
      path: `${WITNESS_PREFIX}/add-checkpoint`,
      access: 'public',
      about: {
        summary: 'A log asks for a cosignature',
        details: 'C2SP tlog-witness: refusals are answered as it says, in plain text.',
        answers: {
          200: media('text/plain', 'Signature lines.'),
          400: media('text/plain'),
          403: media('text/plain'),
          404: media('text/plain'),
          409: media('text/x.tlog.size', 'The size that the witness has.'),
          422: media('text/plain'),
        },
      },
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
      about: {
        summary: 'The checkpoint of a log that was cosigned last',
        answers: { 200: media('text/plain') },
        refusals: ['admin.not-found'],
      },
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
      about: { summary: 'Logs that the witness follows', answers: { 200: json(WITNESS_HEALTH) } },
      handle: () => ({ body: witness.describe() }),
    },
    {
      method: 'GET',
      path: '/admin/witness/refusals',
      access: 'admin',
      about: {
        summary: 'What the witness refused to cosign',
        answers: { 200: json(object({ refusals: listOf(REFUSAL) })) },
      },
      handle: () => ({ body: { refusals: state.refusals() satisfies KeptRefusal[] } }),
    },
  ]
}
