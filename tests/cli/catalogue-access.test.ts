/** `spean catalogue`, against a catalogue of their own. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { speanIn, type Ended } from './apply-support.ts'
import { startTestCatalogue, type Running } from '../service-catalogue/support.ts'

const dir = mkdtempSync(join(tmpdir(), 'catalogue-access-'))
const at = (name: string): string => join(dir, name)

let running: Running
beforeAll(async () => {
  running = await startTestCatalogue()
  const { catalogue } = running
  writeFileSync(at('ca.pem'), running.authority.root.certificate.pem)
  writeFileSync(at('token'), catalogue.adminToken, { mode: 0o600 })
  for (const [name, credential] of [
    ['operator.json', { tokenFile: 'token' }],
    ['moi.json', { apiKeyFile: 'moi.key' }],
    ['both.json', { tokenFile: 'token', apiKeyFile: 'moi.key' }],
  ] as const) {
    const endpoint = { url: catalogue.url, ...credential }
    const profile = { instance: 'KH-DEV', caFile: 'ca.pem', catalogue: endpoint, gateways: {} }
    writeFileSync(at(name), JSON.stringify(profile))
  }
})
afterAll(async () => {
  await running[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true, force: true })
})

const spean = (profile: string, ...args: string[]): Promise<Ended> =>
  speanIn(dir)(args, { profile })

it('asks by an API key, approves as the operator, and verifies the trail of both', async () => {
  await spean('operator.json', 'member', 'add', 'GOV/MOI', 'Interior')
  const key = ['catalogue', 'key', 'add', 'moi', 'member-admin', '--scope', 'GOV/MOI']
  const made = await spean('operator.json', ...key, '--person', 'Dara', '--out', at('moi.key'))
  expect([made.code, made.out.includes('spk_')]).toEqual([0, false])
  expect(statSync(at('moi.key')).mode & 0o777).toBe(0o600)
  expect((await spean('moi.json', 'catalogue', 'whoami')).out).toContain('member-admin')
  expect((await spean('both.json', 'catalogue', 'whoami')).code).not.toBe(0)

  const alone = await spean('moi.json', 'subsystem', 'add', 'GOV/MOI/POP', 'Population')
  expect([alone.code, alone.err]).toEqual([1, expect.stringContaining('(admin.approval-needed)')])
  expect(alone.err).toContain('To act: the operator of the instance.')
  const what = ['subsystem', 'GOV/MOI/POP', 'Population', '--reason', 'law 12', '--json']
  const asked = await spean('moi.json', 'catalogue', 'request', ...what)
  const { id } = JSON.parse(asked.out) as { id: string }
  const own = await spean('moi.json', 'catalogue', 'approve', id, '--reason', 'mine')
  expect([own.code, own.err.includes('admin.not-permitted')]).toEqual([1, true])
  expect(own.err).not.toContain('To act')
  expect((await spean('operator.json', 'catalogue', 'requests')).out).toContain('law 12')
  const approved = await spean('operator.json', 'catalogue', 'approve', id, '--reason', 'good')
  expect(approved.code).toBe(0)
  expect((await spean('moi.json', 'subsystem', 'list')).out).toContain('KH-DEV/GOV/MOI/POP')

  expect((await spean('operator.json', 'catalogue', 'audit')).out).toContain('admin.not-permitted')
  const whole = await spean('operator.json', 'catalogue', 'audit', 'verify')
  expect([whole.code, whole.out.includes('--since')]).toEqual([0, true])
  const since = /--since (\S+)/.exec(whole.out)![1]!
  const later = await spean('operator.json', 'catalogue', 'audit', 'verify', '--since', since)
  expect(later.code).toBe(0)
})

it('finds the last entry gone, and one that was altered', async () => {
  const verify = () => spean('operator.json', 'catalogue', 'audit', 'verify')
  using db = new DatabaseSync(join(running.config.stateDir, 'catalogue.db'))
  db.exec('DROP TRIGGER audit_act_is_not_removed; DROP TRIGGER audit_act_is_not_changed')
  const last = db.prepare('SELECT * FROM audit_act ORDER BY position DESC LIMIT 1').get()!
  db.prepare('DELETE FROM audit_act WHERE position = ?').run(last.position!)
  const cut = await verify()
  expect([cut.code, cut.out.includes('the trail ends at entry')]).toEqual([1, true])
  const { position, entry, hash } = last
  db.prepare('INSERT INTO audit_act VALUES (?, ?, ?)').run(position!, entry!, hash!)
  expect((await verify()).code).toBe(0)
  db.exec(
    "UPDATE audit_act SET entry = replace(entry, 'administrator', 'nobody') WHERE position = 2",
  )
  const altered = await verify()
  expect([altered.code, altered.out.includes('entry 2 was altered')]).toEqual([1, true])
})
