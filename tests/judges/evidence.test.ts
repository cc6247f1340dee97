/** Evidence of an exchange, judged by the commands of its own VERIFY.md, which are not ours. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyEvidence } from '../../exchange-log/evidence/verify.ts'
import { filesOf, pack, resummed } from './evidence-archive.ts'
import { changed, judge, startJudged, unpack, type Judged } from './evidence-support.ts'

const PLACES = ['first', 'middle', 'last'] as const
const AT_ONCE = 4

async function each<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const left = [...items]
  const next = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await run(item)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, next))
}

describe.each([
  { keyKind: 'P-256', stamps: 'own' },
  { keyKind: 'RSA-2048', stamps: 'other' },
] as const)('of manifests signed with $keyKind, time-stamped by its $stamps authority', (kind) => {
  let judged: Judged
  let files: Map<string, Buffer>
  let folder: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'spean-evidence-judges-'))
    judged = await startJudged(kind)
    files = await filesOf(await judged.evidence(await judged.exchange('x'.repeat(100_000))))
  }, 30_000)
  afterAll(async () => {
    await judged[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })
  let archives = 0
  const verdictOf = async (altered: ReadonlyMap<string, Buffer>): Promise<string> => {
    archives += 1
    const file = join(folder, `${archives}.zip`)
    writeFileSync(file, await pack(altered))
    const { verdict } = await verifyEvidence(file)
    rmSync(file)
    return verdict
  }

  it('is proved by its commands, and by ours', async () => {
    const { printed, status, errors } = await judge(unpack(files))
    expect({ status, errors }).toMatchObject({ status: 0 })
    expect(printed).toMatch(/\nPROVED: [0-9a-f-]{36}\n$/)
    expect(files.get('VERIFY.md')!.toString()).not.toMatch(/undefined|NaN|\[object/)
    expect(files.has('request/headers') && files.has('response/body')).toBe(true)
    const { jades } = JSON.parse(files.get('exchange.json')!.toString()) as { jades: object }
    const level = kind.stamps === 'own' ? 'B-LT' : 'B-T'
    expect(jades).toEqual({ request: level, response: level })
    expect(await verdictOf(files)).toBe('verified')
  }, 30_000)

  it('is not, with one changed byte in any of its files', async () => {
    // With the other kinds of keys and of authorities only what differs by them.
    const names = kind.keyKind === 'P-256' ? [...files.keys()] : ['VERIFY.md', 'SHA256SUMS']
    const cases = names.flatMap((name) => PLACES.map((place) => ({ name, place })))
    await each(cases, async ({ name, place }) => {
      const altered = changed(files, name, place)
      const { status } = await judge(unpack(altered))
      expect({ name, place, isProved: status === 0 }).toEqual({ name, place, isProved: false })
      expect({ name, verdict: await verdictOf(altered) }).toEqual({ name, verdict: 'failed' })
    })
  }, 120_000)

  it('is not either when SHA256SUMS is made to fit', async () => {
    // These are words for people: nothing in them is signed.
    const words = ['VERIFY.md', 'SHA256SUMS', 'exchange.json']
    const signed =
      kind.keyKind === 'P-256'
        ? [...files.keys()].filter((name) => !words.includes(name))
        : ['request/manifest.jws', 'certificates/request-stamp.pem', 'time-stamp.tst']
    await each(signed, async (name) => {
      // In the middle of a token are certificates, which are signed by themselves only.
      const altered = resummed(changed(files, name, name.endsWith('.tst') ? 'last' : 'middle'))
      const { status } = await judge(unpack(altered))
      expect({ name, isProved: status === 0 }).toEqual({ name, isProved: false })
      expect({ name, verdict: await verdictOf(altered) }).toEqual({ name, verdict: 'failed' })
    })
  }, 120_000)

  it('is not with a file more, or one less', async () => {
    const more = new Map([...files, ['request/more', Buffer.from('x')]])
    expect((await judge(unpack(more))).status).not.toBe(0)
    expect(await verdictOf(more)).toBe('failed')
    await each([...files.keys()], async (name) => {
      const less = new Map([...files].filter(([other]) => other !== name))
      // Without the commands there is nothing to run.
      if (name !== 'VERIFY.md') expect((await judge(unpack(less))).status, name).not.toBe(0)
      expect(await verdictOf(less), name).toBe('failed')
    })
  }, 60_000)
})
