import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { createTokenBuckets } from '../../gateway/quota/token-buckets.ts'
import { openLocalQuotas, type LocalQuotas } from '../../gateway/quota/local-quotas.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { temporaryFolder } from '../pki/support.ts'
import { silent } from './support.ts'

const at = (text: string): Date => new Date(`2026-11-24T${text}Z`)
const NOON = at('12:00:00')
let clock = NOON
const open = (file: string): LocalQuotas =>
  openLocalQuotas(file, { clock: () => clock, logger: silent })
function opened(): LocalQuotas {
  const quotas = open(join(temporaryFolder(), 'quotas.db'))
  onTestFinished(() => quotas[Symbol.dispose]())
  return quotas
}
/** How many of `calls` pass; seconds to wait of the first that does not. */
async function passing(
  quotas: LocalQuotas,
  quota: { perSecond?: number; perDay?: number } | undefined,
  calls: number,
  when = NOON,
  digest = 'd',
): Promise<[passed: number, wait: number | undefined]> {
  let passed = 0
  let wait: number | undefined
  for (let i = 0; i < calls; i += 1) {
    try {
      await quotas.take({ digest, ...(quota ? { quota } : {}) }, when)
      passed += 1
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error
      expect(error.code).toBe('access.quota-exceeded')
      wait ??= error.retryAfterSeconds
    }
  }
  return [passed, wait]
}

it('without a quota every call passes, and nothing is held', async () => {
  const quotas = opened()
  expect(await passing(quotas, undefined, 100)).toEqual([100, undefined])
  expect(await passing(quotas, {}, 100)).toEqual([100, undefined])
  expect(quotas.size).toBe(0)
})

it('a bucket lets its calls pass at once, then fills evenly and no further than full', async () => {
  const quotas = opened()
  const quota = { perSecond: 4 }
  expect(await passing(quotas, quota, 6)).toEqual([4, 1])
  expect(await passing(quotas, quota, 6, at('12:00:00.500'))).toEqual([2, 1])
  expect(await passing(quotas, quota, 9, at('12:10:00'))).toEqual([4, 1])
  expect(await passing(quotas, quota, 9, at('12:10:00'), 'another')).toEqual([4, 1])
})

it('a clock that is set back fills no bucket, and holds nobody up for long', async () => {
  const quotas = opened()
  const quota = { perSecond: 2 }
  expect(await passing(quotas, quota, 3)).toEqual([2, 1])
  expect(await passing(quotas, quota, 3, at('11:00:00'))).toEqual([0, 1])
  expect(await passing(quotas, quota, 3, at('11:00:01'))).toEqual([2, 1])
})

it('a day ends at midnight UTC, until when the refusal says to wait', async () => {
  const quotas = opened()
  const quota = { perDay: 6 }
  expect(await passing(quotas, quota, 7, at('23:59:50'))).toEqual([6, 10])
  expect(await passing(quotas, quota, 7, new Date('2026-11-25T00:00:00Z'))).toEqual([6, 86_400])
})

it('a clock that is set back over midnight gives no day a second time', async () => {
  const quotas = opened()
  const quota = { perDay: 2 }
  const tomorrow = new Date('2026-11-25T00:00:01Z')
  expect((await passing(quotas, quota, 3, at('23:59:59')))[0]).toBe(2)
  expect((await passing(quotas, quota, 3, tomorrow))[0]).toBe(2)
  expect((await passing(quotas, quota, 3, at('23:59:59')))[0]).toBe(0)
  expect((await passing(quotas, quota, 3, tomorrow))[0]).toBe(0)
})

it('a refused call is counted neither in the second nor in the day', async () => {
  const quotas = opened()
  const quota = { perSecond: 1, perDay: 3 }
  expect(await passing(quotas, quota, 10)).toEqual([1, 1])
  expect(await passing(quotas, quota, 10, at('12:00:01'))).toEqual([1, 1])
  expect(await passing(quotas, quota, 10, at('12:00:02'))).toEqual([1, 43_198])
  expect(await passing(quotas, quota, 10, at('12:00:03'))).toEqual([0, 43_197])
})

it('the count of a day is there after a restart, and older days are not', async () => {
  const file = join(temporaryFolder(), 'quotas.db')
  const quota = { perDay: 3 }
  {
    using quotas = open(file)
    expect((await passing(quotas, quota, 2))[0]).toBe(2)
  }
  {
    using again = open(file)
    expect((await passing(again, quota, 3))[0]).toBe(1)
  }
  clock = new Date('2026-11-30T00:00:00Z')
  onTestFinished(() => void (clock = NOON))
  using later = open(file)
  expect(later.size).toBe(0)
})

it('a count reaches the file within a second, so that a crash forgets no more than that', async () => {
  const file = join(temporaryFolder(), 'quotas.db')
  using running = open(file)
  await passing(running, { perDay: 3 }, 2)
  await vi.waitFor(
    async () => {
      using other = open(file)
      expect(other.size).toBe(1)
    },
    { timeout: 3000, interval: 100 },
  )
})

it('what is idle is forgotten', () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const buckets = createTokenBuckets()
  for (let i = 0; i < 1000; i += 1) buckets.take(`c${i}`, 5, NOON)
  buckets.sweep()
  expect(buckets.size).toBe(1000)
  vi.advanceTimersByTime(1001)
  buckets.take('c7', 5, NOON)
  buckets.sweep()
  expect(buckets.size).toBe(1)
})

it('the refusal names contract and clause', async () => {
  const quotas = opened()
  const refused = async (quota: object): Promise<unknown> => {
    await quotas.take({ digest: JSON.stringify(quota), quota }, NOON)
    return quotas.take({ digest: JSON.stringify(quota), quota }, NOON).catch((e: unknown) => e)
  }
  expect(String(await refused({ perSecond: 1 }))).toContain('allows 1 calls in a second')
  expect(String(await refused({ perDay: 1 }))).toContain('allows 1 calls in a day of UTC')
})

it('can be looked at without counting, and then says what a call would be told', async () => {
  const quotas = opened()
  const look = (quota?: { perSecond?: number; perDay?: number }, when = NOON) =>
    quotas.peek({ digest: 'd', ...(quota ? { quota } : {}) }, when)
  expect(await look()).toBeUndefined()
  const quota = { perSecond: 2, perDay: 3 }
  for (let times = 0; times < 5; times += 1) {
    expect(await look(quota)).toEqual({ perSecond: 2, perDay: 3 })
  }
  expect(quotas.size).toBe(0)
  expect(await passing(quotas, quota, 2)).toEqual([2, undefined])
  const refused = { code: 'access.quota-exceeded', basis: { contract: 'd', clause: 'quota' } }
  await expect(look(quota)).rejects.toMatchObject({ ...refused, retryAfterSeconds: 1 })
  expect(await look(quota, at('12:00:00.500'))).toEqual({ perSecond: 1, perDay: 1 })
  expect(await passing(quotas, quota, 2, at('12:00:01'))).toEqual([1, 43_199])
  await expect(look(quota, at('12:00:10'))).rejects.toMatchObject({ retryAfterSeconds: 43_190 })
})
