import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openAuditors } from '../../gateway/auditing/auditors.ts'
import { startAuditedLog, type AuditedLog } from './auditing-support.ts'

let log: AuditedLog
beforeAll(async () => {
  log = await startAuditedLog()
})
afterAll(() => log[Symbol.asyncDispose]())

const add = (body: object) => log.ask('POST', '/admin/auditors', { body })

describe('an auditor', () => {
  it('gets a token of 256 bits, of which only the digest is kept', async () => {
    const { status, json } = await add({ name: 'Sok Dara', all: true })
    expect([status, json.state, json.all]).toEqual([201, 'active', true])
    const token = String(json.token)
    expect(Buffer.from(token, 'base64url')).toHaveLength(32)
    const kept = readdirSync(log.dir).map((file) => readFileSync(join(log.dir, file)))
    const has = (bytes: string | Buffer): boolean => kept.some((file) => file.includes(bytes))
    expect(has(token)).toBe(false)
    expect(has(Buffer.from(token, 'base64url'))).toBe(false)
    expect(has(createHash('sha256').update(token).digest())).toBe(true)
    const list = await log.ask('GET', '/admin/auditors')
    expect(list.body.toString()).not.toContain(token)
    expect(list.json.auditors).toMatchObject([{ name: 'Sok Dara', state: 'active', all: true }])
  })

  it('may audit and not administer; the administrator may both', async () => {
    const token = await log.add('Chan')
    expect((await log.ask('GET', '/audit/exchanges', { token })).status).toBe(200)
    for (const path of ['/admin/own', '/admin/auditors']) {
      const refused = await log.ask('GET', path, { token })
      expect([refused.status, refused.json.code]).toEqual([403, 'admin.not-permitted'])
    }
    expect((await log.ask('GET', '/audit/exchanges')).status).toBe(200)
    const { json } = await log.ask('GET', '/admin/own')
    expect(json.principal).toEqual({ role: 'admin', name: 'administrator' })
  })

  it('is refused from the moment on in which its token is revoked', async () => {
    const token = await log.add('Vanna')
    expect((await log.ask('DELETE', '/admin/auditors/Vanna')).status).toBe(204)
    const refused = await log.ask('GET', '/audit/exchanges', { token })
    expect([refused.status, refused.json.code]).toEqual([401, 'admin.unauthenticated'])
    expect(refused.json.detail).toContain('revoked')
    const again = await log.ask('DELETE', '/admin/auditors/Vanna')
    expect([again.status, again.json.code]).toEqual([404, 'admin.not-found'])
  })

  it('is refused from the moment on at which its token expires, not before', async () => {
    const expiresAt = new Date(log.clock.at.getTime() + 60_000)
    const token = String((await add({ name: 'Bopha', all: true, expiresAt })).json.token)
    log.clock.at = new Date(expiresAt.getTime() - 1)
    expect((await log.ask('GET', '/audit/exchanges', { token })).status).toBe(200)
    log.clock.at = expiresAt
    const refused = await log.ask('GET', '/audit/exchanges', { token })
    expect([refused.status, refused.json.detail]).toEqual([401, expect.stringMatching(/expired/)])
  })

  it('has a name that no other has while its token is good, and its past stays listed', async () => {
    const first = await log.add('Rith', ['KH/GOV/REG'])
    const second = await add({ name: 'Rith', all: true })
    expect([second.status, second.json.code]).toEqual([409, 'admin.conflict'])
    await log.ask('DELETE', '/admin/auditors/Rith')
    const token = await log.add('Rith')
    expect(token).not.toBe(first)
    expect((await log.ask('GET', '/audit/exchanges', { token: first })).status).toBe(401)
    expect((await log.ask('GET', '/audit/exchanges', { token })).status).toBe(200)
    const { json } = await log.ask('GET', '/admin/auditors')
    const named = (json.auditors as { name: string }[]).filter(({ name }) => name === 'Rith')
    expect(named).toMatchObject([
      { state: 'revoked', scope: ['KH/GOV/REG'] },
      { state: 'active', all: true },
    ])
  })

  it('is known, or revoked, after a restart too', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'auditors-')), 'auditors.db')
    const clock = (): Date => new Date('2026-01-01T00:00:00Z')
    const scope = ['KH/GOV/REG/POP/echo']
    const expiresAt = new Date('2027-01-01T00:00:00Z')
    const tokens = ((): string[] => {
      using auditors = openAuditors(file, clock)
      const good = auditors.add({ name: 'a', scope, expiresAt }).token
      const revoked = auditors.add({ name: 'b' }).token
      auditors.revoke('b')
      return [good, revoked]
    })()
    using auditors = openAuditors(file, clock)
    expect(auditors.auditorOf(tokens[0]!)).toMatchObject({ name: 'a', role: 'auditor', scope })
    expect(() => auditors.auditorOf(tokens[1]!)).toThrow(expect.objectContaining({ status: 401 }))
    expect(auditors.list()).toMatchObject([
      { name: 'a', expiresAt },
      { name: 'b', revokedAt: clock() },
    ])
  })
})

describe('what was asked', () => {
  it('is listed for the administrator, and for nobody else', async () => {
    await using own = await startAuditedLog()
    const token = await own.add('Sophea')
    for (const query of ['?outcome=ok', '?code=access.denied', '']) {
      await own.ask('GET', `/audit/exchanges${query}`, { token })
    }
    const path = '/admin/audit-queries?limit=2'
    const first = (await own.ask('GET', path)).json as { queries: object[]; next: number }
    expect(first.queries).toMatchObject([
      { position: 1, actor: 'Sophea', query: 'search', parameters: { outcome: 'ok' }, results: 0 },
      { position: 2, actor: 'Sophea', query: 'search', parameters: { code: 'access.denied' } },
    ])
    const { json } = await own.ask('GET', `${path}&after=${first.next}`)
    expect(json).toMatchObject({ queries: [{ position: 3, parameters: {} }] })
    expect(json).not.toHaveProperty('next')
    expect((await own.ask('GET', path, { token })).status).toBe(403)
    expect((await own.ask('GET', '/admin/audit-queries?limit=x')).status).toBe(422)
  })
})

describe('hostile input', () => {
  it.each([
    ['no token', null],
    ['an empty one', ''],
    ['one bit less', 'the-administrators-toke'],
    ['quotes', `' OR 1=1 --`],
    ['a very long one', 'x'.repeat(10_000)],
  ])('a token that is %s opens nothing', async (_what, token) => {
    for (const path of ['/audit/exchanges', '/audit/export', '/audit/sample?size=1&seed=x']) {
      const refused = await log.ask('GET', path, { token })
      expect([refused.status, refused.json.code]).toEqual([401, 'admin.unauthenticated'])
    }
  })

  it.each([
    [{}],
    [{ name: 'x' }],
    [{ name: 'x', all: false }],
    [{ name: 'x', all: true, scope: ['KH/GOV/REG'] }],
    [{ name: 'x', scope: [] }],
    [{ name: 'x', scope: ['KH'] }],
    [{ name: 'x', scope: ['KH/GOV'] }],
    [{ name: 'x', scope: ['KH/GOV/REG/POP/echo/more'] }],
    [{ name: 'x', scope: ['KH/GOV/../REG'] }],
    [{ name: 'x', scope: ['KH/GOV/REG*'] }],
    [{ name: 'x', scope: ['KH//REG'] }],
    [{ name: 'x', scope: [7] }],
    [{ name: 'x', scope: Array.from({ length: 101 }, (_, i) => `KH/GOV/M${i}`) }],
    [{ name: 'administrator', all: true }],
    [{ name: 'Administrator', all: true }],
    [{ name: '', all: true }],
    [{ name: ' x', all: true }],
    [{ name: 'x\ny', all: true }],
    [{ name: 'x'.repeat(101), all: true }],
    [{ name: '\u202ex', all: true }],
    [{ name: 'x', all: true, expiresAt: 'tomorrow' }],
    [{ name: 'x', all: true, expiresAt: '2020-01-01T00:00:00Z' }],
    [{ name: 'x', all: true, token: 'mine' }],
    [[]],
  ])('%j makes no auditor', async (body) => {
    const refused = await add(body)
    expect([refused.status, refused.json.code]).toEqual([422, 'admin.invalid'])
  })

  it('names in Khmer are names', async () => {
    expect((await add({ name: 'សុខ ដារ៉ា', scope: ['KH/GOV/ក្រសួង'] })).status).toBe(201)
    const path = `/admin/auditors/${encodeURIComponent('សុខ ដារ៉ា')}`
    expect((await log.ask('DELETE', path)).status).toBe(204)
  })
})
