import { ExchangeError } from '../../protocol/errors.ts'
import type { ApiRequest, Route } from '../../runtime/admin-api.ts'
import { base64, json, listOf, object, text, time, whole } from '../../runtime/route-description.ts'
import type { LogStamp, StampStore } from '../../exchange-log/stamp-store.ts'
import type { StoredCheckpoint, TreeStore } from '../../exchange-log/tree-store.ts'
import { PAGE } from './log-query.ts'
import { checkpointText, parseCheckpoint } from '../../protocol/checkpoint.ts'

const STAMP = { size: whole, genTime: time, authority: text, serial: text, at: time }

/** Reading the time-stamps of a gateway's exchange log, and what they are about. */
export function createStampRoutes(
  stamps: Pick<StampStore, 'last' | 'covering' | 'list'>,
  tree: Pick<TreeStore, 'checkpoint'>,
): Route[] {
  return [
    {
      method: 'GET',
      path: '/admin/time-stamps',
      access: 'admin',
      about: {
        summary: 'Time-stamps of the exchange log',
        query: PAGE,
        answers: { 200: json(object({ stamps: listOf(object(STAMP)) }, { next: whole })) },
      },
      handle: async ({ query }) => {
        const limit = integer(query, 'limit', 1000) ?? 50
        const before = integer(query, 'before', Number.MAX_SAFE_INTEGER)
        const found = await stamps.list({ limit, ...(before === undefined ? {} : { before }) })
        const next = found.length === limit ? found.at(-1)?.size : undefined
        return { body: { stamps: found.map(summaryOf), ...(next === undefined ? {} : { next }) } }
      },
    },
    {
      method: 'GET',
      path: '/admin/time-stamps/:position',
      access: 'admin',
      about: {
        summary: 'The time-stamp that covers a position',
        details: '`last` is the newest.',
        answers: {
          200: json(object({ ...STAMP, token: base64, stamped: text, checkpoint: text })),
        },
        refusals: ['admin.not-found'],
      },
      handle: async (request) => {
        const stamp = await findStamp(stamps, request)
        const { note, cosignatures } = await findCheckpoint(tree, stamp)
        const checkpoint = [note.trimEnd(), ...cosignatures, ''].join('\n')
        const stamped = checkpointText(parseCheckpoint(note))
        const token = stamp.token.toString('base64')
        return { body: { ...summaryOf(stamp), token, stamped, checkpoint } }
      },
    },
  ]
}

async function findCheckpoint(
  tree: Pick<TreeStore, 'checkpoint'>,
  { size }: LogStamp,
): Promise<StoredCheckpoint> {
  const checkpoint = await tree.checkpoint(size)
  if (checkpoint !== undefined) return checkpoint
  const detail = `the checkpoint of ${size} records, which the time-stamp is about, is not kept`
  throw new ExchangeError('admin.not-found', detail)
}

async function findStamp(
  stamps: Pick<StampStore, 'last' | 'covering'>,
  { params }: ApiRequest,
): Promise<LogStamp> {
  const { position = '' } = params
  const newest = await stamps.last()
  if (position === 'last' && newest !== undefined) return newest
  if (position !== 'last' && !/^[1-9]\d{0,14}$/.test(position)) {
    throw new ExchangeError('admin.invalid', 'a position is a whole number from 1 on, or last')
  }
  const stamp = position === 'last' ? undefined : await stamps.covering(Number(position))
  if (stamp !== undefined) return stamp
  throw new ExchangeError(
    'admin.not-found',
    newest === undefined
      ? 'the exchange log has no time-stamp yet'
      : `no time-stamp covers position ${position}; the newest covers up to ${newest.size}`,
  )
}

const summaryOf = ({ size, genTime, authority, serial, at }: LogStamp): object => ({
  size,
  genTime,
  authority,
  serial,
  at,
})

function integer(query: URLSearchParams, name: string, most: number): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= most) return value
  throw new ExchangeError('admin.invalid', `${name} is a whole number from 1 to ${most}`)
}
