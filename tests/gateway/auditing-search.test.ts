import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LogStoreError } from '../../exchange-log/store.ts'
import { append, appendRun, minute, sealed } from '../contract/exchange-log-entries.ts'
import { startAuditedLog, type AuditedLog } from './auditing-support.ts'

const REG = 'KH/GOV/REG'
let log: AuditedLog
beforeAll(async () => {
  log = await startAuditedLog()
  const { records } = log.stores
  const bank = { client: 'KH/COM/BANK/KYC', userId: 'KH1234', issue: 'case-7', purpose: 'loan' }
  await appendRun(records, 'a', 'ok', bank)
  await appendRun(records, 'b', 'error', { ...bank, userId: 'អ្នកប្រើ', messageId: 'm-1' })
  await appendRun(records, 'c', 'access.denied', { client: 'KH/COM/BANK2/KYC', at: minute(5) })
  await appendRun(records, 'd', 'unanswered', { service: 'KH/GOV/TAX/ITR/get', at: minute(9) })
  // Somebody else's request under the id of another exchange.
  await appendRun(records, 'a', 'ok', { client: 'KH/COM/SPY/X', service: 'KH/GOV/TAX/ITR/get' })
  const event = { exchangeId: 'a', at: minute(10), actor: 'administrator' } as const
  await append(records, { ...event, kind: 'erasure', detail: 'by court order' })
})
afterAll(() => log[Symbol.asyncDispose]())

const search = async (query: string, token?: string) =>
  log.ask('GET', `/audit/exchanges${query}`, token === undefined ? {} : { token })
const found = async (query: string, token?: string): Promise<string> => {
  const { exchanges } = (await search(query, token)).json as {
    exchanges: { exchangeId: string }[]
  }
  return exchanges.map(({ exchangeId }) => exchangeId).join('')
}

describe('a search', () => {
  it.each([
    ['', 'adcba'],
    ['?client=KH/COM/BANK/KYC', 'dba'],
    ['?client=KH/COM/BANK*', 'dcba'],
    ['?service=KH/GOV/TAX/*', 'ad'],
    ['?userId=KH1234', 'a'],
    [`?userId=${encodeURIComponent('អ្នកប្រើ')}`, 'b'],
    ['?issue=case-7&outcome=error', 'b'],
    ['?purpose=loan', 'ba'],
    ['?outcome=refused', 'c'],
    ['?outcome=unanswered', 'd'],
    ['?code=access.denied', 'c'],
    ['?id=m-1', 'b'],
    ['?id=a', 'aa'],
    ['?from=2026-01-01T08:05:00Z', 'dc'],
    ['?to=2026-01-01T15:05:00%2B07:00&from=2026-01-01T08:00:00.000Z', 'aba'],
    ['?issue=none', ''],
  ])('%s finds %j', async (query, ids) => {
    expect(await found(query)).toBe(ids)
  })

  it('pages by the position of its last line', async () => {
    const first = await search('?limit=2')
    expect(first.json.next).toBeTypeOf('number')
    expect(await found(`?limit=3&before=${String(first.json.next)}`)).toBe('cba')
    expect((await search('?limit=7')).json).not.toHaveProperty('next')
  })

  it('shows an auditor what is in its scope, whichever filters it sends', async () => {
    const bank = await log.add('of the bank', ['KH/COM/BANK'])
    expect(await found('', bank)).toBe('dba')
    expect(await found('?client=KH/COM/BANK2/KYC', bank)).toBe('')
    expect(await found('?client=*', bank)).toBe('dba')
    expect(await found('?id=a', bank)).toBe('a')
    const tax = await log.add('of one service', ['KH/GOV/TAX/ITR/get'])
    expect(await found('', tax)).toBe('ad')
    const several = await log.add('of several', ['KH/COM/BANK2/KYC', REG])
    expect(await found('', several)).toBe('cba')
  })
})

describe('one exchange', () => {
  const show = (id: string, token?: string) =>
    log.ask('GET', `/audit/exchanges/${encodeURIComponent(id)}`, token ? { token } : {})
  const kinds = (reply: Awaited<ReturnType<typeof show>>): string =>
    (reply.json.entries as { kind: string; client?: string }[])
      .map(({ kind, client = '' }) => `${kind} ${client}`.trim())
      .join(', ')

  it('has all its records and events, for who may see all', async () => {
    expect(kinds(await show('a'))).toMatch(
      /^request KH\/COM\/BANK\/KYC, response.*, request KH\/COM\/SPY\/X, response.*, erasure/,
    )
  })

  it('has for others the runs in scope, what was done to them, and nobody’s questions', async () => {
    const reply = await show('a', await log.add('bank only', ['KH/COM/BANK']))
    expect(kinds(reply)).toBe('request KH/COM/BANK/KYC, response, erasure')
    expect(reply.body.toString()).not.toMatch(/COM\/SPY|GOV\/TAX|"query"/)
  })

  it('is not there out of scope: the answer is that for an id that nobody ever used', async () => {
    const token = await log.add('elsewhere', ['KH/GOV/HEALTH'])
    const [outside, unknown] = [await show('c', token), await show('zz', token)]
    for (const { status, json } of [outside, unknown]) {
      expect([status, json.code]).toEqual([404, 'admin.not-found'])
    }
    expect(String(outside.json.detail).replace('exchange c', 'exchange zz')).toBe(
      unknown.json.detail,
    )
  })
})

describe('every question', () => {
  it('is in the log before its answer: who, what exactly, and how much was given', async () => {
    const token = await log.add('Sok', ['KH/COM/BANK'])
    const path = '?client=KH/COM/*&to=2026-01-01T15:00:00%2B07:00&limit=5'
    const { json } = await search(path, token)
    const entry = (await log.queries()).at(-1)!
    expect(json.recorded).toEqual({ exchangeId: entry.exchangeId, position: entry.position })
    const { auditors } = (await log.ask('GET', '/admin/auditors')).json as {
      auditors: { id: string; name: string }[]
    }
    const id = auditors.find(({ name }) => name === 'Sok')?.id
    expect(entry).toMatchObject({ kind: 'query', actor: 'Sok' })
    expect(entry.said).toEqual({
      query: 'search',
      auditor: id,
      results: 0,
      parameters: { client: 'KH/COM/*', to: '2026-01-01T08:00:00.000Z', limit: 5 },
    })
    await search('?outcome=ok')
    const own = (await log.queries()).at(-1)!
    expect([own.actor, own.said.auditor, own.said.results]).toEqual(['administrator', undefined, 2])
  })

  it('is in the log when nothing may be shown, under the exchange that was asked for', async () => {
    const token = await log.add('curious', ['KH/GOV/HEALTH'])
    await log.ask('GET', '/audit/exchanges/c', { token })
    const entry = (await log.queries()).at(-1)!
    expect([entry.exchangeId, entry.actor]).toEqual(['c', 'curious'])
    expect(entry.said).toMatchObject({ query: 'show', results: 0 })
    await log.ask('GET', `/audit/exchanges/never`, { token })
    const other = (await log.queries()).at(-1)!
    expect(other.exchangeId).toMatch(/^[0-9a-f-]{36}$/)
    expect(other.said.parameters).toEqual({ exchangeId: 'never' })
  })

  it('stands in the tree like any record', async () => {
    await search('')
    const { position } = (await log.queries()).at(-1)!
    await log.integrate()
    expect((await log.stores.tree.head())?.size).toBeGreaterThanOrEqual(position)
  })

  it('has no answer when it cannot be recorded, or the log cannot be read', async () => {
    const fail = (): Promise<never> => Promise.reject(new LogStoreError('/secret: disk full'))
    await using broken = await startAuditedLog(({ records }) => ({
      records: { ...records, append: fail },
    }))
    await broken.stores.records.append(sealed({ ...ENTRY, exchangeId: 'x' }))
    await using blind = await startAuditedLog(({ records }) => ({
      records: { ...records, list: fail, entries: fail },
    }))
    const paths = ['', '/x'].map((path) => `/audit/exchanges${path}`)
    for (const path of [...paths, '/audit/export', '/audit/sample?size=1&seed=x']) {
      const refused = await broken.ask('GET', path)
      expect([path, refused.status, refused.json.code]).toEqual([path, 503, 'log.unavailable'])
      expect(refused.body.toString()).not.toMatch(/KYC|secret/)
      if (path === '/audit/export') continue // it begins before it reads
      const unread = await blind.ask('GET', path)
      expect([path, unread.status, unread.json.code]).toEqual([path, 503, 'log.unavailable'])
    }
  })
})

const ENTRY = { kind: 'request', side: 'client', at: minute(0), client: 'KH/COM/BANK/KYC' } as const

describe('hostile parameters', () => {
  const long = 'x'.repeat(1001)
  it.each([
    ...['?x=1', '?__proto__=1', '?constructor=1', '?toString=1', '?within=KH', '?limit', '?limit='],
    ...['?limit=0', '?limit=1001', '?limit=1e3', '?limit=-1', '?limit=0x10', '?limit=9'.repeat(20)],
    ...['?before=0', '?before=1.5', '?before=9007199254740993', '?before=NaN', '?limit=5&limit=5'],
    ...[
      '?from=2026',
      '?from=yesterday',
      '?from=2026-02-31T00:00:00Z',
      '?from=2026-01-01T25:00:00Z',
    ],
    ...['?to=0', '?to=2026-01-01T00:00:00', '?to=2026-01-01T00:00:00+07:00', '?to=', '?from=%00'],
    ...['?outcome=OK', '?outcome=', '?client=', '?client=%00', '?client=a%0Ab', `?userId=${long}`],
    ...[`?issue=${long}`, `?purpose=${long}`, `?code=${long}`, `?id=${long}`, `?service=${long}`],
  ])('%s is refused, and nothing is recorded of it', async (query) => {
    const before = (await log.queries()).length
    const refused = await search(query)
    expect([refused.status, refused.json.code]).toEqual([422, 'admin.invalid'])
    expect((await log.queries()).length).toBe(before)
  })

  it.each([
    "' OR 1=1 --",
    '%',
    '_',
    '*',
    '**',
    '"; DROP TABLE record; --',
    '\u{1f600}*',
    '=cmd|',
    'é'.normalize('NFD'),
  ])('%j is nothing but text', async (value) => {
    const encoded = encodeURIComponent(value)
    for (const name of ['client', 'service', 'userId', 'issue', 'purpose', 'code', 'id']) {
      const { status, json } = await search(`?${name}=${encoded}`)
      const isAll = (name === 'client' || name === 'service') && value === '*'
      expect([name, status, (json.exchanges as unknown[]).length]).toEqual([
        name,
        200,
        isAll ? 5 : 0,
      ])
    }
    const shown = await log.ask('GET', `/audit/exchanges/${encoded}`)
    expect([shown.status, shown.json.code]).toEqual([404, 'admin.not-found'])
  })

  it.each([`/${'x'.repeat(201)}`, '/a%00', '/a?limit=1', '/%ff', '/a%0d%0ab'])(
    'the exchange %s is refused in words',
    async (path) => {
      const refused = await log.ask('GET', `/audit/exchanges${path}`)
      expect(refused.status).toBeGreaterThanOrEqual(400)
      expect(refused.status).toBeLessThan(500)
      expect(['admin.invalid', 'request.malformed']).toContain(refused.json.code)
    },
  )
})
