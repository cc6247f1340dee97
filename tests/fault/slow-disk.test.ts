/** A disk that takes its time: writes wait, as they do behind the lock of another program. */
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it, vi } from 'vitest'
import { REGISTRY, startFederation } from '../support/federation.ts'

const PATH = `/r1/${REGISTRY}/echo`
const SIDES = ['client', 'provider'] as const

it.each(SIDES)('an exchange waits for the log of the %s gateway, and is answered', async (side) => {
  await using f = await startFederation()
  const lock = new DatabaseSync(`${f[side].config.stateDir}/exchange-log.db`)
  lock.exec('BEGIN IMMEDIATE')
  let isAnswered = false
  const call = f.call(PATH).then(({ status }) => {
    isAnswered = true
    return status
  })
  await delay(400)
  expect(isAnswered).toBe(false)
  lock.exec('ROLLBACK')
  lock.close()
  expect(await call).toBe(200)
})

it.each(SIDES)('no exchange waits for the tree of the %s gateway', async (side) => {
  await using f = await startFederation()
  const file = `${f[side].config.stateDir}/log-tree.db`
  const sizeOf = (db: DatabaseSync): number =>
    Number(db.prepare('SELECT max(size) AS size FROM checkpoint').get()?.size)
  expect((await f.call(PATH)).status).toBe(200)
  using tree = new DatabaseSync(file, { timeout: 10_000 })
  await vi.waitFor(() => expect(sizeOf(tree)).toBeGreaterThan(0), { timeout: 10_000 })
  tree.exec('BEGIN IMMEDIATE')
  const before = sizeOf(tree)
  // The integrator comes to its commit, and waits.
  const ended = performance.now() + 3000
  let longestMs = 0
  while (performance.now() < ended) {
    const begun = performance.now()
    expect((await f.call(PATH)).status).toBe(200)
    longestMs = Math.max(longestMs, performance.now() - begun)
  }
  expect(longestMs).toBeLessThan(2000)
  tree.exec('ROLLBACK')
  await vi.waitFor(() => expect(sizeOf(tree)).toBeGreaterThan(before), { timeout: 10_000 })
})
