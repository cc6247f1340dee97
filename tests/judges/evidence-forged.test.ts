/** Evidence that somebody made with keys of their own, to be believed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { verifyEvidence } from '../../exchange-log/evidence/verify.ts'
import { filesOf } from './evidence-archive.ts'
import { createWorld, forge, type World } from './evidence-forger.ts'
import { judge, unpack } from './evidence-support.ts'

let world: World
let folder: string
beforeAll(async () => {
  world = await createWorld()
  folder = mkdtempSync(join(tmpdir(), 'spean-forged-'))
})
afterAll(() => {
  world[Symbol.dispose]()
  rmSync(folder, { recursive: true, force: true })
})

it('that tells no lie is proved', async () => {
  const archive = await forge(world)
  const file = join(folder, 'true.zip')
  writeFileSync(file, archive)
  const { checks, verdict } = await verifyEvidence(file)
  expect({ verdict, last: checks.at(-1) }).toMatchObject({ verdict: 'verified' })
  const { status, errors, printed } = await judge(unpack(await filesOf(archive)))
  expect(`${errors}${printed}`).toMatch(/\nPROVED: /)
  expect(status).toBe(0)
})
