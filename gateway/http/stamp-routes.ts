import { ExchangeError } from '../../protocol/errors.ts'
import type { ApiRequest, Route } from '../../runtime/admin-api.ts'
import type { LogStamp, StampStore } from '../time-stamps/stamp-store.ts'
import { readLines, stampedBytes, type LogReader } from '../time-stamps/stamped-bytes.ts'

/** Reading the time-stamps of a gateway's exchange log. */
export function createStampRoutes(deps: {
  readonly gatewayId: string
  readonly stamps: StampStore
  readonly log: LogReader
}): Route[] {
  const { gatewayId, stamps, log } = deps
  return [
    {
      method: 'GET',
      path: '/admin/time-stamps',
      access: 'admin',
      handle: ({ query }) => {
        const limit = integer(query, 'limit', 1000) ?? 50
        const before = integer(query, 'before', Number.MAX_SAFE_INTEGER)
        const found = stamps.list({ limit, ...(before === undefined ? {} : { before }) })
        const next = found.length === limit ? found.at(-1)?.first : undefined
        return { body: { stamps: found.map(summaryOf), ...(next === undefined ? {} : { next }) } }
      },
    },
    {
      method: 'GET',
      path: '/admin/time-stamps/:position',
      access: 'admin',
      handle: async (request) => {
        const stamp = findStamp(stamps, request)
        const { first, last, token } = stamp
        const previous = stamps.covering(first - 1)?.token
        // Made from the log as it is now: bytes that no longer fit the token are what a token is for.
        const lines = await readLines(log, first, last)
        const stamped = stampedBytes({ gatewayId, first, last, previous }, lines)
        const encoded = { token: token.toString('base64'), stamped: stamped.toString('base64') }
        return { body: { ...summaryOf(stamp), ...encoded } }
      },
    },
  ]
}

function findStamp(stamps: StampStore, { params }: ApiRequest): LogStamp {
  const { position = '' } = params
  const newest = stamps.last()
  if (position === 'last' && newest !== undefined) return newest
  if (position !== 'last' && !/^[1-9]\d{0,14}$/.test(position)) {
    throw new ExchangeError('admin.invalid', 'a position is a whole number from 1 on, or last')
  }
  const stamp = position === 'last' ? undefined : stamps.covering(Number(position))
  if (stamp !== undefined) return stamp
  throw new ExchangeError(
    'admin.not-found',
    newest === undefined
      ? 'the exchange log has no time-stamp yet'
      : `no time-stamp covers position ${position}; the newest covers up to ${newest.last}`,
  )
}

const summaryOf = ({ first, last, genTime, authority, serial, at }: LogStamp): object => ({
  first,
  last,
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
