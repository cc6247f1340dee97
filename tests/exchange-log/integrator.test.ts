import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { startIntegrator } from '../../exchange-log/integrator.ts'
import { openSqliteLogStore } from '../../exchange-log/store-sqlite.ts'
import { tileReader } from '../../exchange-log/tree-reader.ts'
import { openSqliteTreeStore } from '../../exchange-log/tree-store-sqlite.ts'
import { TreeStoreError, type TreeStore } from '../../exchange-log/tree-store.ts'
import { consistencyProof, leafHash, verifyConsistency } from '../../protocol/merkle-tree.ts'
import { systemClock } from '../../runtime/clock.ts'
import { createLogger } from '../../runtime/logger.ts'
import { naiveRoot } from '../protocol/naive-tree.ts'
import {
  faultOf,
  growingRecords,
  newLogKey,
  newRecord,
  temporaryDirectory,
  watchSigned,
  type Records,
} from './tree-support.ts'

const logger = createLogger('test')
const key = newLogKey()
/** Never by itself: tests say when. */
const QUIET = 3_600_000

async function integrate(tree: TreeStore, { source }: Records): Promise<string | undefined> {
  const options = { records: source, tree, key, clock: systemClock, logger, intervalMs: QUIET }
  await using integrator = startIntegrator(options)
  await integrator.integrateNow()
  return integrator.health().fault
}

describe('the integrator', () => {
  it('has a checkpoint a second after a record, over what the store holds', async () => {
    using folder = temporaryDirectory()
    const file = `${folder.dir}/log.db`
    await using records = await openSqliteLogStore(file, { maxBytes: 1e9 })
    await using tree = openSqliteTreeStore(`${folder.dir}/tree.db`)
    await tree.thin(new Date(0), new Set()) // its thread has started then
    await using integrator = startIntegrator({ records, tree, key, clock: systemClock, logger })
    for (let round = 1; round <= 3; round += 1) {
      await records.append(newRecord(`${round}`))
      const begun = performance.now()
      while (((await tree.head())?.size ?? 0) < round)
        await new Promise((done) => setTimeout(done, 5))
      expect(performance.now() - begun).toBeLessThan(1000)
    }
    const leaves = (await records.commitments(0, 10)).map(leafHash)
    const head = await tree.head()
    expect(head?.rootHash).toEqual(naiveRoot(leaves))
    const { size, checkpointAt, fault, oldestWaitingAt } = integrator.health()
    expect([size, checkpointAt, fault, oldestWaitingAt]).toEqual([
      3,
      head?.at,
      undefined,
      undefined,
    ])
  })

  it('makes the tree of RFC 6962 in steps of any size, each a continuation of the one before', async () => {
    const steps = fc.array(
      fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 700 })),
    )
    await fc.assert(
      fc.asyncProperty(steps, async (counts) => {
        using folder = temporaryDirectory()
        await using tree = openSqliteTreeStore(`${folder.dir}/tree.db`)
        const records = growingRecords()
        for (const count of counts) {
          records.add(count)
          expect(await integrate(tree, records)).toBeUndefined()
        }
        const read = tileReader(tree)
        let before = { size: 0, root: naiveRoot([]) }
        for (const checkpoint of await tree.checkpoints(0, 1000)) {
          expect(faultOf(checkpoint, records.leaves, key)).toBeUndefined()
          const now = { size: checkpoint.size, root: checkpoint.rootHash }
          verifyConsistency(await consistencyProof(before.size, now.size, read), before, now)
          before = now
        }
        expect(before.size).toBe(records.leaves.length)
      }),
      { numRuns: 15 },
    )
  }, 60_000)

  it('takes its time for a long way, and says each checkpoint', async () => {
    using folder = temporaryDirectory()
    await using tree = openSqliteTreeStore(`${folder.dir}/tree.db`)
    const records = growingRecords()
    records.add(40_000)
    const sizes: number[] = []
    await using integrator = startIntegrator({
      ...{ records: records.source, tree, key, clock: systemClock, logger, intervalMs: QUIET },
      onCheckpoint: ({ size }) => sizes.push(size),
    })
    await integrator.integrateNow()
    expect(sizes).toEqual([16_384, 32_768, 40_000])
  })

  it('reads a few tiles for a checkpoint, however large the tree is', async () => {
    using folder = temporaryDirectory()
    await using tree = openSqliteTreeStore(`${folder.dir}/tree.db`)
    const records = growingRecords()
    let reads = 0
    const counted: TreeStore = {
      ...tree,
      tile: (level, index) => ((reads += 1), tree.tile(level, index)),
    }
    const options = { records: records.source, tree: counted, key, clock: systemClock, logger }
    await using integrator = startIntegrator({ ...options, intervalMs: QUIET })
    const most: number[] = []
    for (const size of [1000, 200_000]) {
      records.add(size - records.leaves.length)
      await integrator.integrateNow()
      let worst = 0
      for (let i = 0; i < 300; i += 1) {
        records.add(1)
        reads = 0
        await integrator.integrateNow()
        worst = Math.max(worst, reads)
      }
      most.push(worst)
    }
    expect(most[1]).toBeLessThanOrEqual(40)
  }, 60_000)
})

describe('a tree store that fails', () => {
  const CALLS = ['head', 'tile', 'advance'] as const
  const cases = CALLS.flatMap((name) =>
    (['before', 'after'] as const).flatMap((when) =>
      Array.from({ length: 8 }, (_, nth) => ({ name, when, nth })),
    ),
  )

  it.each(cases)(
    '$name, call $nth, $when it was done: nothing is lost, and nothing forks',
    async ({ name, when, nth }) => {
      using folder = temporaryDirectory()
      await using real = openSqliteTreeStore(`${folder.dir}/tree.db`)
      const { tree, signed } = watchSigned(real)
      let calls = 0
      let failed = 0
      const failing: TreeStore = {
        ...tree,
        [name]: async (...values: unknown[]) => {
          calls += 1
          const isTurn = calls === nth + 1
          failed += isTurn ? 1 : 0
          if (isTurn && when === 'before') throw new TreeStoreError('not done')
          const call = tree[name] as (...given: unknown[]) => Promise<unknown>
          const result = await call(...values)
          if (isTurn) throw new TreeStoreError('done, and the answer lost')
          return result
        },
      }
      const records = growingRecords()
      const options = { records: records.source, tree: failing, key, clock: systemClock, logger }
      await using integrator = startIntegrator({ ...options, intervalMs: QUIET })
      const faults: (string | undefined)[] = []
      for (const count of [1, 255, 1, 300, 2, 1, 700, 1]) {
        records.add(count)
        await integrator.integrateNow()
        faults.push(integrator.health().fault)
      }
      await integrator.integrateNow()
      expect(integrator.health().fault).toBeUndefined()
      expect(failed).toBe(1)
      expect(faults.filter((fault) => fault !== undefined).length).toBeLessThanOrEqual(1)
      expect((await real.head())?.size).toBe(records.leaves.length)
      for (const checkpoint of [...signed, ...(await real.checkpoints(0, 1000))]) {
        expect(faultOf(checkpoint, records.leaves, key)).toBeUndefined()
      }
    },
  )
})

describe('two integrators on one tree', () => {
  it('never fork it', async () => {
    using folder = temporaryDirectory()
    const file = `${folder.dir}/tree.db`
    const records = growingRecords()
    const all = Array.from({ length: 2 }, () => watchSigned(openSqliteTreeStore(file)))
    {
      await using scope = new AsyncDisposableStack()
      const integrators = all.map(({ tree }) => {
        const options = { records: records.source, tree, key, clock: systemClock, logger }
        return scope.use(startIntegrator({ ...options, intervalMs: 1 }))
      })
      for (let i = 0; i < 200; i += 1) {
        records.add(1 + (i % 5))
        await new Promise((done) => setTimeout(done, 2))
      }
      await Promise.all(integrators.map((integrator) => integrator.integrateNow()))
      expect(integrators.map((integrator) => integrator.health().fault)).toEqual([
        undefined,
        undefined,
      ])
    }
    expect(Math.min(...all.map(({ signed }) => signed.length))).toBeGreaterThan(0)
    const { tree } = all[0]!
    expect((await tree.head())?.size).toBe(records.leaves.length)
    for (const checkpoint of all.flatMap(({ signed }) => signed)) {
      expect(faultOf(checkpoint, records.leaves, key)).toBeUndefined()
    }
    for (const one of all) await one.tree[Symbol.asyncDispose]()
  })
})
