/** Quotas and tokens of a gateway by itself: counted in this process, without an identity provider. */
import { ExchangeError } from '../../protocol/errors.ts'
import type { Quotas, UserTokens } from '../ports.ts'

const DAY_MS = 86_400_000
const SECOND_MS = 1000
/** Counters are looked through for ended ones when there are so many. */
const MANY = 10_000

/** Counts calls of each second and of each day of UTC; a restart begins anew. */
export function createLocalQuotas(): Quotas {
  const counters = new Map<string, { window: number; count: number }>()
  const read = (key: string, window: number): number => {
    const counter = counters.get(key)
    return counter?.window === window ? counter.count : 0
  }
  return {
    take: async ({ digest, quota = {} }, at) => {
      const limits = [
        ['perSecond', quota.perSecond, SECOND_MS],
        ['perDay', quota.perDay, DAY_MS],
      ] as const
      const now = at.getTime()
      const taken = limits.flatMap(([name, limit, lengthMs]) => {
        if (limit === undefined) return []
        const key = `${digest} ${name}`
        const window = Math.floor(now / lengthMs)
        const count = read(key, window)
        if (count < limit) return [{ key, window, count: count + 1 }]
        const seconds = Math.ceil(((window + 1) * lengthMs - now) / 1000)
        const detail = `contract ${digest}: quota is ${limit} ${name}, and used up; more in ${seconds} s`
        throw new ExchangeError('access.quota-exceeded', detail)
      })
      if (counters.size > MANY) dropEnded(counters, now)
      for (const { key, ...counter } of taken) counters.set(key, counter)
    },
  }
}

function dropEnded(counters: Map<string, { window: number }>, now: number): void {
  for (const [key, { window }] of counters) {
    const lengthMs = key.endsWith('perDay') ? DAY_MS : SECOND_MS
    if (window < Math.floor(now / lengthMs)) counters.delete(key)
  }
}

/** No member has named an identity provider: no token can be judged, so none is believed. */
export function createNoUserTokens(): UserTokens {
  return {
    verify: async (token, { member }) => {
      if (token === undefined) {
        throw new ExchangeError('access.token-missing', 'the call has no Spean-User-Token')
      }
      const detail = `no identity provider of ${member} is named at this gateway`
      throw new ExchangeError('access.token-invalid', detail)
    },
  }
}
