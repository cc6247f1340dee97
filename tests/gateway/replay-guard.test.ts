import { describe, expect, it } from 'vitest'
import { createReplayGuard, REPLAY_WINDOW_MS } from '../../gateway/replay/guard.ts'
import { LIMITS } from '../../protocol/limits.ts'

const START = new Date('2026-03-01T08:00:00Z')
const after = (ms: number): Date => new Date(START.getTime() + ms)

describe('the replay guard', () => {
  it('lets each id pass once', () => {
    const guard = createReplayGuard([], START)
    expect(guard.firstSeen('a', START)).toBe(true)
    expect(guard.firstSeen('b', START)).toBe(true)
    expect(guard.firstSeen('a', START)).toBe(false)
    expect(guard.firstSeen('b', after(1000))).toBe(false)
  })

  it('remembers longer than a signature is fresh, before and after its time', () => {
    expect(REPLAY_WINDOW_MS).toBeGreaterThan(2 * LIMITS.signatureAgeSeconds * 1000)
  })

  it('knows the ids of before its start, for a whole window', () => {
    const guard = createReplayGuard(['old'], START)
    expect(guard.firstSeen('old', START)).toBe(false)
    expect(guard.firstSeen('old', after(REPLAY_WINDOW_MS))).toBe(false)
  })

  it.each([0, 1, REPLAY_WINDOW_MS - 1, REPLAY_WINDOW_MS, REPLAY_WINDOW_MS + 1])(
    'remembers an id seen %i ms after its start to the end of its window, through the turn',
    (seen) => {
      const guard = createReplayGuard([], START)
      expect(guard.firstSeen('a', after(seen))).toBe(true)
      for (let i = 1; i <= 10; i += 1) {
        const at = after(seen + (i / 10) * (REPLAY_WINDOW_MS - 1))
        expect(guard.firstSeen(`other-${i}`, at)).toBe(true)
        expect(guard.firstSeen('a', at)).toBe(false)
      }
    },
  )

  it('forgets after two windows, so that it does not grow for ever', () => {
    const guard = createReplayGuard(['old'], START)
    guard.firstSeen('a', START)
    guard.firstSeen('b', after(REPLAY_WINDOW_MS))
    guard.firstSeen('c', after(2 * REPLAY_WINDOW_MS))
    expect(guard.firstSeen('a', after(2 * REPLAY_WINDOW_MS))).toBe(true)
    expect(guard.firstSeen('old', after(2 * REPLAY_WINDOW_MS))).toBe(true)
    expect(guard.firstSeen('b', after(2 * REPLAY_WINDOW_MS))).toBe(false)
  })

  it('forgets nothing when the clock goes backwards', () => {
    const guard = createReplayGuard(['old'], START)
    guard.firstSeen('a', START)
    for (const ms of [-1, -REPLAY_WINDOW_MS, -10 * REPLAY_WINDOW_MS]) {
      expect(guard.firstSeen('a', after(ms))).toBe(false)
      expect(guard.firstSeen('old', after(ms))).toBe(false)
    }
    expect(guard.firstSeen('b', after(-5 * REPLAY_WINDOW_MS))).toBe(true)
    expect(guard.firstSeen('b', START)).toBe(false)
  })
})
