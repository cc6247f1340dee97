/** The commands, against a catalogue of their own: by exit code and by what they print. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { speanIn } from './apply-support.ts'
import { startTestCatalogue, temporaryFolder, type Running } from '../service-catalogue/support.ts'

const ID = 'GOV/MOI/REG/persons'

let running: Running
let dir: string
beforeAll(async () => {
  running = await startTestCatalogue()
  dir = temporaryFolder()
  const write = (name: string, content: string | object): void =>
    writeFileSync(
      join(dir, name),
      typeof content === 'string' ? content : JSON.stringify(content),
      { mode: 0o600 },
    )
  write('ca.pem', running.authority.root.certificate.pem)
  write('token', running.catalogue.adminToken)
  const endpoint = { url: running.catalogue.url, tokenFile: 'token' }
  write('spean.json', { instance: 'KH-DEV', caFile: 'ca.pem', catalogue: endpoint, gateways: {} })
  const base = { openapi: '3.1.0', info: { title: 'x', version: '1' } }
  write('one.json', { ...base, paths: { '/a': { get: {} }, '/b': { get: {} } } })
  write('two.json', { ...base, paths: { '/a': { get: {} } } })
  write('entry.json', { titles: { km: 'ប្រជាជន' }, purposes: ['kyc'] })
  await spean('member', 'add', 'GOV/MOI', 'Interior')
  await spean('subsystem', 'add', 'GOV/MOI/REG', 'Register')
})
afterAll(() => running[Symbol.asyncDispose]())

async function spean(...args: string[]): Promise<{ code: number; out: string }> {
  const { code, out, err } = await speanIn(dir)(args)
  return { code, out: out + err }
}

it('a service is published, changed with notice, deprecated and retired by the command', async () => {
  await spean('service', 'add', ID, 'Persons', '--openapi', 'one.json', '--draft')
  expect((await spean('service', 'show', ID)).out).toMatch(/state +draft/)
  expect((await spean('service', 'publish', ID)).out).toMatch(/state +published/)
  const compared = await spean('service', 'compare', ID, 'two.json')
  expect(compared.out).toMatch(/level +breaking/)
  expect(compared.out).toMatch(/path \/b is taken out +\/paths\/~1b/)
  const one = ['service', 'add', ID, 'Persons', '--openapi', 'one.json', '--validation']
  expect((await spean(...one, 'report')).out).toMatch(/validation +report/)
  expect((await spean(...one, 'loudly')).out).toContain('/validation must be equal to one of')
  const set = await spean('service', 'set', ID, '--classification', 'personal', '--title', 'People')
  expect(set.out).toMatch(/title +People\n[^]*classification +personal\nvalidation +report\n/)
  expect((await spean('service', 'set', ID)).code).toBe(2)
  const two = ['service', 'add', ID, 'Persons', '--openapi', 'two.json']
  const early = await spean(...two, '--as', '2.0.0', '--effective', '2020-01-01T00:00:00Z')
  expect([early.code, early.out]).toEqual([1, expect.stringContaining('service.change-too-early')])
  expect((await spean(...two)).out).toContain('service.version-too-low')
  const planned = await spean(...two, '--as', '2.0.0')
  expect([planned.code, planned.out]).toEqual([0, expect.stringMatching(/2\.0\.0 takes effect at/)])
  expect((await spean('service', 'show', ID)).out).toContain('version 2.0.0 takes effect at')
  expect((await spean('service', 'withdraw', ID)).code).toBe(0)
  const sunset = new Date(Date.now() + 40 * 86_400_000).toISOString()
  expect((await spean('service', 'deprecate', ID, sunset)).out).toMatch(/state +deprecated/)
  expect((await spean('service', 'remove', ID)).out).toContain('service.change-too-early')
  expect((await spean('service', 'retire', ID, '--reason', 'closed')).out).toMatch(/state +retired/)
  const { out } = await spean('service', 'history', ID)
  const types = [...out.matchAll(/service\.([a-z-]+)/g)].map(([, type]) => type)
  const change = ['change-planned', 'change-withdrawn']
  expect(types).toEqual(['published', 'changed', ...change, 'deprecated', 'retired'])
  expect((await spean('service', 'events', '--after', '4')).out).toContain('closed')
})

it('a service is described, found and exported by the command', async () => {
  await spean('service', 'add', 'GOV/MOI/REG/births', 'Births')
  const set = await spean('service', 'set', 'GOV/MOI/REG/births', 'entry.json')
  expect(set.out).toContain('ប្រជាជន')
  const found = await spean(
    'service',
    'search',
    'ប្រជាជន',
    '--purpose',
    'kyc',
    '--member',
    'GOV/MOI',
  )
  expect(found.out).toContain('KH-DEV/GOV/MOI/REG/births')
  expect((await spean('service', 'search', 'nothing')).out).not.toContain('births')
  const { out } = await spean('service', 'dcat')
  expect(JSON.parse(out)).toMatchObject({ '@type': 'dcat:Catalog' })
})

it('receivers are added, listed and removed by the command', async () => {
  const url = 'https://hooks.invalid/events'
  const { code, out } = await spean('--json', 'webhook', 'add', url, '--service', ID)
  expect(code).toBe(0)
  const { id, services } = JSON.parse(out) as { id: string; services: string[] }
  expect(services).toEqual([`KH-DEV/${ID}`])
  expect((await spean('webhook', 'list')).out).toContain(url)
  expect((await spean('webhook', 'resume', id)).code).toBe(0)
  expect((await spean('webhook', 'remove', id)).code).toBe(0)
  expect((await spean('webhook', 'list')).out).not.toContain(url)
  expect((await spean('webhook', 'add', 'http://hooks.invalid/')).code).toBe(1)
})
