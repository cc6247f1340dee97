import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startIntegrator } from '../../exchange-log/integrator.ts'
import { openSqliteLogStore } from '../../exchange-log/store-sqlite.ts'
import { openSqliteTreeStore } from '../../exchange-log/tree-store-sqlite.ts'
import { parseCheckpoint } from '../../protocol/checkpoint.ts'
import { leafHash } from '../../protocol/merkle-tree.ts'
import { systemClock } from '../../runtime/clock.ts'
import { createLogger } from '../../runtime/logger.ts'
import { faultOf, newLogKey, temporaryDirectory } from './tree-support.ts'

const KILLS = 10
const PROGRAM = join(import.meta.dirname, 'integrate-until-killed.ts')

it('killed at any moment, has published nothing that the tree does not continue', async () => {
  using folder = temporaryDirectory()
  const { dir } = folder
  const key = newLogKey()
  const keyFile = `${dir}/log.key`
  writeFileSync(keyFile, key.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  const published: string[] = []
  for (let kill = 0; kill < KILLS; kill += 1) {
    const stdio = ['ignore', 'pipe', 'inherit'] as const
    const child = spawn(process.execPath, [PROGRAM, dir, keyFile], { stdio: [...stdio] })
    let text = ''
    child.stdout!.on('data', (chunk: Buffer) => (text += chunk.toString()))
    while (!text.includes('\n')) await new Promise((done) => setTimeout(done, 2))
    await new Promise((done) => setTimeout(done, Math.random() * 150))
    child.kill('SIGKILL')
    await once(child, 'close')
    published.push(...text.split('\n').slice(0, -1))
  }

  await using records = await openSqliteLogStore(`${dir}/log.db`, { maxBytes: 1e9 })
  await using tree = openSqliteTreeStore(`${dir}/tree.db`)
  const logger = createLogger('test')
  await using integrator = startIntegrator({ records, tree, key, clock: systemClock, logger })
  await integrator.integrateNow()
  expect(integrator.health().fault).toBeUndefined()
  const { last } = await records.extent()
  expect((await tree.head())?.size).toBe(last)
  const leaves: Buffer[] = []
  while (leaves.length < last) {
    leaves.push(...(await records.commitments(leaves.length, 10_000)).map(leafHash))
  }
  expect(published.length).toBeGreaterThanOrEqual(KILLS)
  for (const line of published) {
    const note = JSON.parse(line) as string
    const { size, rootHash } = parseCheckpoint(note)
    expect(faultOf({ size, rootHash, note }, leaves, key)).toBeUndefined()
    expect(await tree.checkpoint(size)).toMatchObject({ note, size })
  }
}, 60_000)
