/** Evidence that somebody made with keys of their own, to be believed: by our verifier, and by its own commands. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyEvidence } from '../../exchange-log/evidence/verify.ts'
import { ALTERATIONS } from './evidence-alterations.ts'
import { filesOf, pack, resummed } from './evidence-archive.ts'
import { createWorld, forge, type World } from './evidence-forger.ts'
import { SIGNER_LIES, TRUTHS } from './evidence-lies.ts'
import { ERASED, LOG_LIES } from './evidence-log-lies.ts'
import { judgeFiles } from './evidence-support.ts'

let world: World
let folder: string
let truth: Buffer
let trusted: string[]
let archives = 0
beforeAll(async () => {
  world = await createWorld()
  folder = mkdtempSync(join(tmpdir(), 'spean-forged-'))
  truth = await forge(world)
  trusted = published((await judgeFiles(await filesOf(truth))).printed)
  expect(trusted.length).toBeGreaterThan(5)
})
afterAll(() => {
  world[Symbol.dispose]()
  rmSync(folder, { recursive: true, force: true })
})

/** By the root, the log and the witnesses that the operators published. */
async function verdictOf(archive: Buffer): Promise<string> {
  archives += 1
  const file = join(folder, `${archives}.zip`)
  writeFileSync(file, archive)
  const policy = (await filesOf(truth)).get('policy')!.toString()
  const anchors = [world.authority.root.certificate]
  const { checks, verdict } = await verifyEvidence(file, { anchors, policy })
  const last = checks.at(-1)
  return last?.code ?? verdict
}

describe('is proved, by us and by its commands, when', () => {
  it.concurrent.each([...TRUTHS, ...ERASED])('$name', async ({ lies }) => {
    const archive = await forge(world, await lies(world))
    const { status, errors, printed } = await judgeFiles(await filesOf(archive))
    expect(`${errors}${printed}`).toMatch(/\nPROVED: /)
    expect({ status, verdict: await verdictOf(archive) }).toEqual({
      status: 0,
      verdict: 'verified',
    })
  })
})

/** What VERIFY.md prints for comparison with what was published. */
const published = (printed: string): string[] =>
  printed.match(/^(sha256 Fingerprint=|log |witness |group |quorum ).*$/gm) ?? []

describe('is named by us, and not proved by its commands, when', () => {
  it.concurrent.each([...SIGNER_LIES, ...LOG_LIES])('$name', async ({ lies, code, isOfKeys }) => {
    const archive = await forge(world, await lies(world))
    const { status, printed, errors } = await judgeFiles(await filesOf(archive))
    expect(await verdictOf(archive)).toBe(code)
    if (!isOfKeys) {
      expect(errors).toMatch(/^FAILED: /m)
      expect(status).not.toBe(0)
      return
    }
    expect(printed).toMatch(/\nPROVED: /)
    expect(published(printed)).not.toEqual(trusted)
  })

  it.concurrent.each(ALTERATIONS)('$name', async ({ alter, code }) => {
    const altered = resummed(alter(await filesOf(truth)))
    const { status, errors } = await judgeFiles(altered)
    expect(await verdictOf(await pack(altered))).toBe(code)
    expect(errors).toMatch(/^FAILED: /m)
    expect(status).not.toBe(0)
  })
})
