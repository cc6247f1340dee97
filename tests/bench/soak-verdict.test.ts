import { describe, expect, it } from 'vitest'
import { faultsOf, type SoakResult } from '../../bench/soak/verdict.ts'

const used = (size: number, slots = 4): SoakResult['used'] =>
  new Map(
    Array.from({ length: slots }, (_, slot) => [
      `slot ${slot}`,
      new Set(Array.from({ length: size }, (__, i) => String(i))),
    ]),
  )
/** Three minutes of certificates of thirty seconds, as it should be. */
const GOOD: SoakResult = {
  ...{ exchanges: 9000, failures: new Map(), unfinished: 0, rate: 50 },
  ...{ durationMs: 180_000, lifetimeMs: 30_000, used: used(8) },
}

describe('a soak', () => {
  it('that lost nothing and renewed everything has no fault', () => {
    expect(faultsOf(GOOD)).toEqual([])
  })

  it.each<[string, Partial<SoakResult>]>([
    ['with one failure', { failures: new Map([['provider.unreachable', 1]]) }],
    ['with a call that did not end', { unfinished: 1 }],
    ['that called nothing', { exchanges: 0 }],
    ['that called half of what it should', { exchanges: 4000 }],
    ['that renewed nothing', { used: used(1) }],
    ['that renewed at one gateway only', { used: new Map([...used(8), ['slot 3', new Set('x')]]) }],
    ['that saw no certificates', { used: new Map() }],
  ])('%s is one that failed', (_, change) => {
    expect(faultsOf({ ...GOOD, ...change })).not.toEqual([])
  })
})
