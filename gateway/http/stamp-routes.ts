import { ExchangeError } from '../../protocol/errors.ts'
import type { ApiRequest, Route } from '../../runtime/admin-api.ts'
import type { LogStamp, StampStore } from '../../exchange-log/stamp-store.ts'

/** Reading the time-stamps of a gateway's exchange log. */
export function createStampRoutes(stamps: StampStore): Route[] {
  return [
    {
      method: 'GET',
      path: '/admin/time-stamps',
      access: 'admin',
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
      handle: async (request) => {
        const stamp = await findStamp(stamps, request)
        return { body: { ...summaryOf(stamp), token: stamp.token.toString('base64') } }
      },
    },
  ]
}

async function findStamp(stamps: StampStore, { params }: ApiRequest): Promise<LogStamp> {
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
