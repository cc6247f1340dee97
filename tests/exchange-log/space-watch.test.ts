import { expect, it } from 'vitest'
import { startSpaceWatch, type SpaceWatchOptions } from '../../exchange-log/space-watch.ts'
import { createLogger } from '../../runtime/logger.ts'
import { mountSmallDisk } from '../support/small-disk.ts'
import { shiftedClock } from '../support/clock.ts'

const MEGABYTE = 1_000_000

/** Watches a log of a size that the test sets; what is said of it. */
function watch(changes: Partial<SpaceWatchOptions> = {}) {
  const lines: [level: string, state: unknown][] = []
  const logger = createLogger('test', 'silent')
  for (const level of ['info', 'warn', 'error'] as const) {
    logger[level] = (line: object) => lines.push([level, (line as { state?: string }).state])
  }
  const state = { bytes: MEGABYTE }
  const clock = shiftedClock()
  const space = startSpaceWatch({
    records: { extent: () => Promise.resolve({ first: 1, last: 1, bytes: state.bytes }) },
    ...{ folder: undefined, maxBytes: 100 * MEGABYTE, warnFreeBytes: 0 },
    ...{ clock: clock.now, logger, intervalMs: 3_600_000 },
    ...changes,
  })
  return { state, clock, space, lines }
}

it('warns from 80 % of what the log may take on, is critical from 95 %, and says each change once', async () => {
  const { state, space, lines } = watch()
  await using _space = space
  for (const share of [10, 79, 80, 85, 94, 95, 99, 50]) {
    state.bytes = share * MEGABYTE
    await space.lookNow()
  }
  expect(lines).toEqual([
    ['warn', 'warning'],
    ['error', 'critical'],
    ['info', 'ok'],
  ])
})

it('tells how many days are left at the present rate, and warns of less than two weeks', async () => {
  const { state, clock, space } = watch()
  await using _space = space
  await space.lookNow()
  expect(space.health()).toMatchObject({ state: 'ok' })
  expect(space.health()).not.toHaveProperty('daysLeft')
  clock.offsetMs += 3_600_000
  state.bytes = 1.1 * MEGABYTE
  await space.lookNow()
  expect(space.health()).toMatchObject({ state: 'ok', daysLeft: 41.2 })
  clock.offsetMs += 3_600_000
  state.bytes = 2 * MEGABYTE
  await space.lookNow()
  expect(space.health()).toMatchObject({ state: 'warning', daysLeft: 8.2 })
  expect(space.health()!.reason).toContain('full in 8.2 days')
})

it('takes an archived log for no sign of growth', async () => {
  const { state, clock, space } = watch()
  await using _space = space
  state.bytes = 70 * MEGABYTE
  await space.lookNow()
  clock.offsetMs += 3_600_000
  state.bytes = 5 * MEGABYTE
  await space.lookNow()
  expect(space.health()).toMatchObject({ state: 'ok', bytes: 5 * MEGABYTE })
  expect(space.health()).not.toHaveProperty('daysLeft')
})

it('sees the disk fill', async () => {
  using disk = mountSmallDisk(20 * MEGABYTE)
  const { space, lines } = watch({ folder: disk.dir, warnFreeBytes: 10 * MEGABYTE })
  await using _space = space
  await space.lookNow()
  expect(space.health()).toMatchObject({ state: 'ok' })
  disk.fill()
  await space.lookNow()
  expect(space.health()).toMatchObject({ state: 'critical', freeBytes: 0 })
  disk.clear()
  await space.lookNow()
  expect(lines.map(([level]) => level)).toEqual(['error', 'info'])
})
