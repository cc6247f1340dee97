import { expect, it } from 'vitest'
import { createLateRefusals } from '../../gateway/exchange-log/late-refusals.ts'
import { systemClock } from '../../runtime/clock.ts'
import type { ExchangeEntry } from '../../exchange-log/record.ts'

const refusal = (i: number): ExchangeEntry => ({
  ...{ exchangeId: `x-${i}`, side: 'client', kind: 'refusal', code: 'log.unavailable' },
  at: new Date(Date.UTC(2026, 0, 1, 0, 0, 0, i)),
})

it('records a thousand one by one and the others as one with their number, once the log takes entries', async () => {
  const recorded: ExchangeEntry[] = []
  let takes = 0
  const late = createLateRefusals((entry) => {
    if (takes === 0) return Promise.reject(new TypeError('full'))
    takes -= 1
    recorded.push(entry)
    return Promise.resolve()
  }, systemClock)
  for (let i = 0; i < 1007; i += 1) late.keep(refusal(i))
  await late.recordNow()
  expect(recorded).toEqual([])
  takes = 400
  await late.recordNow()
  expect(recorded).toHaveLength(400)
  takes = Infinity
  await late.recordNow()
  await late.recordNow()
  expect(recorded.slice(0, 1000).map(({ exchangeId }) => exchangeId)).toEqual(
    Array.from({ length: 1000 }, (_, i) => `x-${i}`),
  )
  expect(recorded.slice(1000)).toMatchObject([
    {
      kind: 'refusal',
      code: 'log.unavailable',
      detail: expect.stringMatching(/^7 more refusals from \S+01\.000Z to \S+01\.006Z/) as string,
    },
  ])
})
