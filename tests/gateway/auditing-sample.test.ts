import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseCheckpoint } from '../../protocol/checkpoint.ts'
import { EMPTY_ROOT } from '../../protocol/merkle-tree.ts'
import { appendRun } from '../contract/exchange-log-entries.ts'
import { judge } from '../support/programs.ts'
import { ADMIN, ORIGIN, startAuditedLog, type AuditedLog } from './auditing-support.ts'

interface Sample {
  readonly eligible: number
  readonly tree: { origin: string; size: number; rootHash: string; checkpoint?: string }
  readonly exchanges: { exchangeId: string; position: number; ticket: string; client?: string }[]
}
let log: AuditedLog
beforeAll(async () => {
  log = await startAuditedLog()
  await fill(0, 1500)
})
afterAll(() => log[Symbol.asyncDispose]())

/** One in ten is of the bank, one in two refused. */
async function fill(from: number, to: number): Promise<void> {
  const numbers = Array.from({ length: to - from }, (_, i) => from + i)
  await Promise.all(
    numbers.map((n) =>
      appendRun(log.stores.records, `x-${n}`, n % 2 === 0 ? 'ok' : 'access.denied', {
        client: n % 10 === 0 ? 'KH/COM/BANK/KYC' : 'KH/COM/SHOP/A',
      }),
    ),
  )
  await log.integrate()
}
async function draw(query: string, token?: string): Promise<Sample> {
  const { json } = await log.ask('GET', `/audit/sample?${query}`, token ? { token } : {})
  return json as unknown as Sample
}
const idsOf = ({ exchanges }: Sample): string[] => exchanges.map(({ exchangeId }) => exchangeId)

/** As docs/auditing.md says, by a shell: who does not trust us needs no program of ours. */
const RECOMPUTE = `while read position; do
  printf 'spean-sample/v1\\n%s\\n%d\\n' "$1" "$position" | sha256sum | cut -d' ' -f1 | tr '\\n' ' '
  echo "$position"
done < "$2" | sort | head -n "$3"`

describe('a sample', () => {
  it('is what a shell draws from the export, by seed and tree size', async () => {
    const seed = 'កម្ពុជា 2026 "quoted" $HOME %d'
    const query = `seed=${encodeURIComponent(seed)}&outcome=refused&client=KH/COM/SHOP/*`
    const sample = await draw(`${query}&size=12`)
    const { body } = await log.ask('GET', '/audit/export?outcome=refused&client=KH/COM/SHOP/*')
    const positions = body
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { position: number }).position)
      .filter((position) => position <= sample.tree.size)
    expect(sample.eligible).toBe(positions.length)
    const file = join(log.dir, 'positions')
    writeFileSync(file, `${positions.join('\n')}\n`)
    const { output } = await judge('sh', '-c', RECOMPUTE, 'sh', seed, file, '12')
    expect(sample.exchanges.map(({ ticket, position }) => `${ticket} ${position}`)).toEqual(
      output.trimEnd().split('\n'),
    )
  })

  it('says which tree it was drawn from, in the words that the log signed', async () => {
    const { tree } = await draw('seed=x&size=1')
    const head = (await log.stores.tree.head())!
    expect(tree).toMatchObject({ origin: ORIGIN, size: head.size })
    const checkpoint = parseCheckpoint(tree.checkpoint!)
    expect(checkpoint).toMatchObject({ origin: ORIGIN, size: tree.size, rootHash: head.rootHash })
    expect(checkpoint.rootHash.toString('base64')).toBe(tree.rootHash)
  })

  it('is drawn again, when the log has grown, by its tree size, with the same root', async () => {
    const first = await draw('seed=again&size=20')
    await fill(1500, 2000)
    const { size, rootHash } = first.tree
    const again = await draw(`seed=again&size=20&treeSize=${size}`)
    expect(idsOf(again)).toEqual(idsOf(first))
    expect([again.tree.rootHash, again.eligible]).toEqual([rootHash, first.eligible])
    // The root of a size of which no checkpoint is kept is computed from the tiles.
    let unsigned = size - 1
    while (await log.stores.tree.checkpoint(unsigned)) unsigned -= 1
    const smaller = await draw(`seed=again&size=20&treeSize=${unsigned}`)
    expect(smaller.tree.size).toBe(unsigned)
    expect(smaller.tree).not.toHaveProperty('checkpoint')
    expect(smaller.tree.rootHash).not.toBe(rootHash)
    expect((await draw('seed=again&size=20')).eligible).toBeGreaterThan(first.eligible)
  })

  it('differs by its seed, and begins with the smaller one of the same seed', async () => {
    const [a, b] = [await draw('seed=a&size=50'), await draw('seed=b&size=50')]
    expect(idsOf(a)).not.toEqual(idsOf(b))
    expect(idsOf(await draw('seed=a&size=10'))).toEqual(idsOf(a).slice(0, 10))
    expect(new Set(idsOf(a)).size).toBe(50)
    // Chance favours nobody: 50 of 2000 from one half has a probability of 2^-50.
    const positions = a.exchanges.map(({ position }) => position)
    expect(Math.min(...positions)).toBeLessThan(a.tree.size / 2)
    expect(Math.max(...positions)).toBeGreaterThan(a.tree.size / 2)
  })

  it('is drawn from what the auditor may see; with fewer it is all of them', async () => {
    const token = await log.add('of the bank', ['KH/COM/BANK'])
    const sample = await draw('seed=x&size=1000', token)
    expect(sample.exchanges).toHaveLength(sample.eligible)
    expect(new Set(sample.exchanges.map(({ client }) => client))).toEqual(
      new Set(['KH/COM/BANK/KYC']),
    )
    const all = await draw('seed=x&size=1000')
    const seen = idsOf(all).filter((id) => Number(id.slice(2)) % 10 === 0)
    expect(idsOf(sample).slice(0, seen.length)).toEqual(seen)
  })

  it('is recorded with its seed and tree size', async () => {
    const { tree } = await draw('seed=on%20record&size=3&outcome=ok')
    expect((await log.queries()).at(-1)?.said).toEqual({
      query: 'sample',
      parameters: { seed: 'on record', size: 3, outcome: 'ok', treeSize: tree.size },
      results: 3,
    })
  })

  it('is not drawn to its end for somebody who has gone', async () => {
    let pages = 0
    const drawing = Promise.withResolvers<void>()
    await using slow = await startAuditedLog(({ records }) => ({
      records: {
        ...records,
        list: async (query) => {
          pages += 1
          drawing.resolve()
          await new Promise((done) => setTimeout(done, 20))
          // As many pages as anybody asks for: every page is the first.
          return records.list({ limit: query.limit })
        },
      },
    }))
    const { records } = slow.stores
    await Promise.all(Array.from({ length: 1000 }, (_, i) => appendRun(records, `x-${i}`, 'ok')))
    await slow.integrate()
    const socket = connect(slow.port, '127.0.0.1')
    socket.write(
      `GET /audit/sample?seed=x&size=3 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${ADMIN}\r\n\r\n`,
    )
    await drawing.promise
    socket.destroy()
    await expect
      .poll(async () => (await slow.queries()).at(-1)?.said, { timeout: 8000 })
      .toMatchObject({ query: 'sample', complete: false, results: 0 })
    const before = pages
    await new Promise((done) => setTimeout(done, 100))
    expect(pages).toBe(before)
  })

  it('of an empty log is empty', async () => {
    await using empty = await startAuditedLog()
    const { json } = await empty.ask('GET', '/audit/sample?seed=x&size=3')
    expect(json).toMatchObject({ eligible: 0, exchanges: [] })
    expect(json.tree).toEqual({ origin: ORIGIN, size: 0, rootHash: EMPTY_ROOT.toString('base64') })
  })

  it.each([
    ...[
      'seed=x',
      'size=1',
      'seed=&size=1',
      'seed=x&size=0',
      'seed=x&size=1001',
      'seed=a%0Ab&size=1',
    ],
    ...[`seed=${'x'.repeat(201)}&size=1`, 'seed=x&seed=y&size=1', 'seed=x&size=1&limit=1'],
    ...['seed=x&size=1&treeSize=0', 'seed=x&size=1&treeSize=9007199254740991'],
  ])('refuses %s', async (query) => {
    const refused = await log.ask('GET', `/audit/sample?${query}`)
    expect([refused.status, refused.json.code]).toEqual([422, 'admin.invalid'])
  })
})
