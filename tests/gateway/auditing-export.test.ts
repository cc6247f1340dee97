import { parse } from 'csv-parse/sync'
import { connect } from 'node:net'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SUMMARY_COLUMNS } from '../../exchange-log/summary-columns.ts'
import { LogStoreError, type ExchangeLogStore } from '../../exchange-log/store.ts'
import { append, appendRun, minute, requestEntry } from '../contract/exchange-log-entries.ts'
import { ADMIN, startAuditedLog, type AuditedLog } from './auditing-support.ts'

/** More than two pages. */
const MANY = 2345

async function fill(records: ExchangeLogStore, count: number): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, (_, i) =>
      append(records, requestEntry(`x-${i}`, { at: minute(i % 60), target: '/t'.repeat(500) })),
    ),
  )
}

let log: AuditedLog
beforeAll(async () => {
  log = await startAuditedLog()
  await fill(log.stores.records, MANY)
})
afterAll(() => log[Symbol.asyncDispose]())

const lines = (body: Buffer): Record<string, unknown>[] =>
  body
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
const ids = Array.from({ length: MANY }, (_, i) => `x-${MANY - 1 - i}`)

describe('an export', () => {
  it('has every exchange once, as NDJSON like the search has it', async () => {
    const { headers, body } = await log.ask('GET', '/audit/export')
    expect(headers['content-type']).toBe('application/x-ndjson; charset=utf-8')
    const all = lines(body)
    expect(all.map(({ exchangeId }) => exchangeId)).toEqual(ids)
    const { json } = await log.ask('GET', '/audit/exchanges?limit=3')
    expect(all.slice(0, 3)).toEqual(json.exchanges)
  })

  it('has the same as CSV, for any reader of RFC 4180', async () => {
    const { headers, body } = await log.ask('GET', '/audit/export?format=csv')
    expect(headers['content-type']).toMatch(/^text\/csv/)
    expect(body.subarray(0, 3)).toEqual(Buffer.from([0xef, 0xbb, 0xbf]))
    const rows: Record<string, string>[] = parse(body, { bom: true, columns: true })
    expect(Object.keys(rows[0]!)).toEqual(SUMMARY_COLUMNS)
    expect(rows.map((row) => row.exchangeId)).toEqual(ids)
    const [first] = lines((await log.ask('GET', '/audit/export?id=x-7')).body)
    const [row] = rows.filter(({ exchangeId }) => exchangeId === 'x-7')
    const given = Object.entries(row!).filter(([, cell]) => cell !== '')
    expect(Object.fromEntries(given)).toEqual(
      Object.fromEntries(Object.entries(first!).map(([name, value]) => [name, String(value)])),
    )
  })

  it('has what matches and is in scope, and nothing else', async () => {
    const { records } = log.stores
    await appendRun(records, 'mine', 'access.denied', { client: 'KH/COM/MINE/A' })
    await appendRun(records, 'not-denied', 'ok', { client: 'KH/COM/MINE/A' })
    await appendRun(records, 'theirs', 'access.denied', { client: 'KH/COM/MINE2/A' })
    const token = await log.add('of mine', ['KH/COM/MINE'])
    const { body } = await log.ask('GET', '/audit/export?outcome=refused', { token })
    expect(lines(body).map(({ exchangeId }) => exchangeId)).toEqual(['mine'])
    const none = await log.ask('GET', '/audit/export?client=KH/COM/BANK/KYC', { token })
    expect([none.status, none.body.length]).toEqual([200, 0])
    const empty = await log.ask('GET', '/audit/export?format=csv&issue=none')
    expect(empty.body.toString()).toBe(`\ufeff${SUMMARY_COLUMNS.join(',')}\r\n`)
  })

  it('keeps formulas from who opens it, and letters of any script as they are', async () => {
    const texts = [
      ...['=1+1', '+855 12', '-2', '@SUM(A1)', '\t=1', ' =1', '\u200b=1', '＝1', '\ufeff=1'],
      ...['a,b', 'say "no"', 'two\r\nlines', 'សួស្តី, កម្ពុជា', '"', ' padded ', "'=1"],
    ]
    for (const userId of texts) {
      await append(log.stores.records, requestEntry('formula', { userId }))
    }
    const { body } = await log.ask('GET', '/audit/export?format=csv&id=formula')
    const rows: Record<string, string>[] = parse(body, { bom: true, columns: true })
    expect(rows.map(({ userId }) => userId).reverse()).toEqual([
      ...texts.slice(0, 9).map((text) => `'${text}`),
      ...texts.slice(9),
    ])
    const exact = lines((await log.ask('GET', '/audit/export?id=formula')).body)
    expect(exact.map(({ userId }) => userId).reverse()).toEqual(texts)
  })

  it('is in the log at its beginning, and at its end with what was given', async () => {
    const { headers, body } = await log.ask(
      'GET',
      '/audit/export?format=csv&from=2026-01-01T08:30:00Z',
    )
    const [begin, end] = (await log.queries()).slice(-2)
    expect(headers['x-spean-recorded']).toBe(`${begin?.position} ${begin?.exchangeId}`)
    expect(begin?.said).toEqual({
      query: 'export',
      parameters: { from: '2026-01-01T08:30:00.000Z', format: 'csv' },
    })
    const results = parse(body, { bom: true, columns: true }).length
    expect(end?.exchangeId).toBe(begin?.exchangeId)
    expect(end?.said).toEqual({
      ...{ query: 'export-end', begunAt: begin?.position, results, complete: true },
    })
  })

  it.each(['?format=xml', '?format=', '?limit=5', '?before=5', '?from=x'])(
    'refuses %s',
    async (query) => {
      const refused = await log.ask('GET', `/audit/export${query}`)
      expect([refused.status, refused.json.code]).toEqual([422, 'admin.invalid'])
    },
  )
})

/** The answer as it comes over the wire, chunk lines included, until the connection ends. */
async function raw(port: number, path: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${ADMIN}\r\n`)
  socket.write('connection: close\r\n\r\n')
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
  })
  await once(socket, 'close')
  return text
}
const END = /\r\n0\r\n\r\n$/

describe('an export that cannot go on', () => {
  it('breaks the connection off when the log cannot be read any more', async () => {
    let pages = 0
    await using broken = await startAuditedLog(({ records }) => ({
      records: {
        ...records,
        list: (query) => {
          pages += 1
          return pages < 3 ? records.list(query) : Promise.reject(new LogStoreError('gone'))
        },
      },
    }))
    await fill(broken.stores.records, MANY)
    const text = await raw(broken.port, '/audit/export')
    expect(text).toMatch(/^HTTP\/1.1 200 /)
    expect(text).toContain('"x-2000"')
    expect(text).not.toMatch(END)
    expect((await broken.queries()).at(-1)?.said).toMatchObject({
      ...{ query: 'export-end', complete: false, results: 2000 },
    })
  })

  it('breaks it off when its end cannot be recorded: no export is whole without that', async () => {
    let appends = 0
    await using broken = await startAuditedLog(({ records }) => ({
      records: {
        ...records,
        append: (record) => {
          appends += 1
          return appends === 1 ? records.append(record) : Promise.reject(new LogStoreError('full'))
        },
      },
    }))
    await fill(broken.stores.records, 10)
    const text = await raw(broken.port, '/audit/export')
    expect(text).toMatch(/^HTTP\/1.1 200 |^$/)
    expect(text).not.toMatch(END)
    expect(text).not.toContain('x-0')
  })

  it('is recorded as broken off when the reader goes', async () => {
    const socket = connect(log.port, '127.0.0.1')
    await fill(log.stores.records, 20_000) // more than the system's buffers take
    socket.write(`GET /audit/export HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${ADMIN}\r\n\r\n`)
    await once(socket, 'data')
    socket.destroy()
    const last = async () => (await log.queries()).at(-1)?.said
    await expect
      .poll(last, { timeout: 8000, interval: 500 })
      .toMatchObject({ query: 'export-end', complete: false })
    const { results } = (await last()) as { results: number }
    expect(results).toBeLessThan(MANY + 20_000)
  })
})
