/** Exchanges whose records left the log, by the command and at the ports of a running gateway. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LogArchiveConfig } from '../../exchange-log/config.ts'
import { writePrivateFile } from '../../runtime/private-file.ts'
import { startJudged, type Judged } from '../judges/evidence-support.ts'
import { startS3Server, type S3Server } from '../support/s3-server.ts'
import { ROOT } from '../support/sandbox.ts'

const run = promisify(execFile)
const SECRET = 'a secret that is erased later, and nowhere then'
const EXCHANGES = 4

describe.each(['folder', 's3'] as const)('exchanges archived in a %s', (kind) => {
  let judged: Judged
  let server: S3Server | undefined
  let folder: string
  let secret: string
  let another: string
  let file: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'spean-archived-'))
    if (kind === 's3') server = await startS3Server()
    const archive: LogArchiveConfig =
      server === undefined ? { folder: join(folder, 'archives') } : { s3: server.config }
    const exchangeLog = { maxBytes: 2 ** 30, warnFreeBytes: 0, rules: [], number: 1, archive }
    judged = await startJudged({ changes: { exchangeLog } })
    const { client, ca } = judged.federation
    writePrivateFile(join(folder, 'token'), client.running.adminToken)
    writeFileSync(join(folder, 'ca.pem'), ca)
    const url = `https://127.0.0.1:${client.running.ports.admin}`
    const gateways = { bank: { url, tokenFile: join(folder, 'token') } }
    const profile = { instance: 'KH-TEST', caFile: join(folder, 'ca.pem'), gateways }
    writeFileSync(join(folder, 'spean.json'), JSON.stringify(profile))

    secret = await judged.exchange(SECRET)
    another = await judged.exchange('another')
    for (let i = 2; i < EXCHANGES; i += 1) await judged.exchange(`body ${i}`)
    await judged.evidence(await judged.exchange('newest')) // has all before it stamped
  }, 60_000)
  afterAll(async () => {
    await judged[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  const spean = async (...args: string[]): Promise<string> => {
    const command = [join(ROOT, 'cli/main.ts'), '--profile', join(folder, 'spean.json'), ...args]
    return (await run(process.execPath, command, { cwd: folder })).stdout
  }

  it('leave by `spean log archive`, and `spean log archives` says where they are', async () => {
    const last = 2 * EXCHANGES
    const made = await spean('log', 'archive', '--up-to', `${last}`, '-g', 'bank', '--json')
    const event = JSON.parse(made) as { archive: string; first: number; last: number }
    expect(event).toMatchObject({ first: 1, last })
    file = server?.fileOf(`gateway/${event.archive}`) ?? join(folder, 'archives', event.archive)
    expect(statSync(file).size).toBeGreaterThan(0)
    const listed = await spean('log', 'archives', '-g', 'bank')
    expect(listed).toContain(event.archive)
    expect(listed).toContain(`in the log: ${last + 1} to `)
  }, 120_000)

  it('are shown by the gateway, and by the command from the file alone', async () => {
    interface Shown {
      readonly entries: readonly { kind: string; exchangeId: string; manifest?: string }[]
    }
    const byGateway = JSON.parse(
      await spean('log', 'show', secret, '-g', 'bank', '--json'),
    ) as Shown
    expect(byGateway.entries.map(({ kind }) => kind)).toEqual(['request', 'response'])
    const copy = ['--archive', file]
    const byFile = JSON.parse(await spean('log', 'show', secret, ...copy, '--json')) as Shown
    expect(byFile).toEqual(byGateway)
    expect(await spean('log', 'show', secret, ...copy, '--manifest', 'request')).toBe(
      byGateway.entries[0]!.manifest,
    )
    const unknown = spean('log', 'show', crypto.randomUUID(), ...copy)
    await expect(unknown).rejects.toMatchObject({ code: 2 })

    const list = async (...args: string[]): Promise<string[]> => {
      const page = JSON.parse(await spean('log', 'list', ...copy, ...args, '--json')) as {
        exchanges: { exchangeId: string; outcome: string }[]
      }
      expect(page.exchanges.every(({ outcome }) => outcome === 'ok')).toBe(true)
      return page.exchanges.map(({ exchangeId }) => exchangeId)
    }
    expect(await list()).toHaveLength(EXCHANGES)
    const narrow = ['--id', secret, '--from', '2001-01-01T00:00:00Z', '--limit', '2']
    expect(await list(...narrow, '--outcome', 'ok')).toEqual([secret])
    expect(await list('--outcome', 'refused')).toEqual([])
    await expect(list('--from', 'yesterday')).rejects.toMatchObject({ code: 2 })
  }, 120_000)

  it('are proved by evidence as complete as that of one in the log', async () => {
    await spean('evidence', 'get', secret, '-g', 'bank', '-o', 'e.zip')
    expect(readFileSync(join(folder, 'e.zip')).includes(SECRET)).toBe(true)
    const verdict = await spean('evidence', 'verify', 'e.zip', '--json')
    expect(JSON.parse(verdict)).toMatchObject({ verdict: 'verified' })
  }, 120_000)

  it('are erased in the archive too: no key, no text, anywhere; the evidence verifies still', async () => {
    const { admin, config } = judged.federation.client
    const database = join(config.stateDir, 'exchange-log.db')
    const keys = wrappedKeys(database)
    expect(keys.map(({ position }) => position)).toEqual(expect.arrayContaining([1, 2]))
    const reason = 'asked by the person'
    const erased = await admin.call('POST', `/admin/log/${secret}/erasure`, { reason })
    expect(erased).toEqual({ positions: [1, 2] })
    await spean('evidence', 'get', secret, '-g', 'bank', '-o', 'erased.zip')
    const report = await spean('evidence', 'verify', 'erased.zip', '--json')
    const { verdict, absent } = JSON.parse(report) as {
      verdict: string
      absent: { what: string; reason: string }[]
    }
    expect(verdict).toBe('verified')
    expect(absent.map(({ what, reason: why }) => `${what} ${why}`)).toContain('request/body erased')

    const destroyed = keys.filter(({ position }) => position <= 2).map(({ wrapped }) => wrapped)
    const places = [config.stateDir, dirname(file)].flatMap((place) =>
      readdirSync(place, { recursive: true, encoding: 'utf8' }).map((name) => join(place, name)),
    )
    for (const path of places.filter((each) => statSync(each).isFile())) {
      const bytes = readFileSync(path)
      const found = [SECRET, ...destroyed].filter((each) => bytes.includes(each))
      expect({ path, found }).toEqual({ path, found: [] })
    }
    expect(readFileSync(join(folder, 'erased.zip')).includes(SECRET)).toBe(false)
  }, 120_000)

  it('are not given from an archive that was altered, or is not there', async () => {
    const { client } = judged.federation
    const path = `/admin/log/${another}`
    const bytes = readFileSync(file)
    writeFileSync(file, Buffer.from(bytes).fill(0, 4096, 200_000))
    await client.restart()
    await expect(client.admin.call('GET', path)).rejects.toMatchObject({ code: 'evidence.altered' })
    rmSync(file)
    await client.restart()
    await expect(client.admin.call('GET', path)).rejects.toMatchObject({ code: 'log.unavailable' })
    writeFileSync(file, bytes)
    expect(await client.admin.call('GET', path)).toMatchObject({ entries: [{ position: 3 }, {}] })
  }, 120_000)
})

function wrappedKeys(database: string): { position: number; wrapped: Buffer }[] {
  using db = new DatabaseSync(database, { readOnly: true })
  return db
    .prepare('SELECT position, wrapped FROM recordKey')
    .all()
    .map(({ position, wrapped }) => ({
      position: Number(position),
      wrapped: Buffer.from(wrapped as Uint8Array),
    }))
}
