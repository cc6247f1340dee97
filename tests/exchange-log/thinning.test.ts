import { describe, expect, it } from 'vitest'
import { startIntegrator } from '../../exchange-log/integrator.ts'
import { openSqliteStampStore } from '../../exchange-log/stamp-store-sqlite.ts'
import { startThinning } from '../../exchange-log/thinning.ts'
import { openSqliteTreeStore } from '../../exchange-log/tree-store-sqlite.ts'
import { createLogger } from '../../runtime/logger.ts'
import { growingRecords, newLogKey, temporaryDirectory } from './tree-support.ts'

const MINUTE = 60_000
const logger = createLogger('test')

describe('old checkpoints', () => {
  it('go after an hour, but for those with a time-stamp, the newest and one that may get one', async () => {
    using folder = temporaryDirectory()
    await using tree = openSqliteTreeStore(`${folder.dir}/tree.db`)
    await using stamps = openSqliteStampStore(`${folder.dir}/stamps.db`)
    const records = growingRecords()
    let now = Date.parse('2026-03-01T08:00:00Z')
    const clock = (): Date => new Date(now)
    const options = { records: records.source, tree, key: newLogKey(), clock, logger }
    await using integrator = startIntegrator({ ...options, intervalMs: 3_600_000 })
    await using thinning = startThinning({ tree, stamps, clock, logger })
    const pass = async (minutes: number, isBusy: boolean): Promise<void> => {
      for (let minute = 0; minute < minutes; minute += 1) {
        now += MINUTE
        if (isBusy) {
          records.add(1)
          await integrator.integrateNow()
          const size = records.leaves.length
          if (size % 10 === 0) {
            const token = Buffer.from('a token')
            const stamp = { size, token, genTime: clock(), serial: '1', authority: 'a' }
            await stamps.add({ ...stamp, at: clock() })
          }
        }
        await thinning.thinNow()
      }
    }
    const sizes = async (): Promise<number[]> =>
      (await tree.checkpoints(0, 1000)).map(({ size }) => size)

    await pass(25, true)
    expect(await sizes()).toEqual(Array.from({ length: 25 }, (_, i) => i + 1))
    await pass(90, false)
    expect(await sizes()).toEqual([10, 20, 25])
    // 25 was the newest for an hour and a half: a time-stamp over it may be on its way.
    await pass(1, true)
    expect(await sizes()).toEqual([10, 20, 25, 26])
    await pass(99, true)
    const kept = await sizes()
    expect(kept.slice(0, 9)).toEqual([10, 20, 25, 30, 40, 50, 60, 65, 66])
    expect(kept.at(-1)).toBe(125)
    for (const size of kept) expect(await tree.checkpoint(size)).toBeDefined()
  })
})
