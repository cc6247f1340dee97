/** The command, as its own process, against an authority of this one. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startAuthority, type RunningAuthority } from '../../pki/authority/server.ts'
import { parseCertificates } from '../../pki/certificate.ts'
import { createCsr } from '../../pki/csr.ts'
import { generateKey } from '../../pki/keys.ts'
import { writePrivateFile } from '../../runtime/private-file.ts'
import { authorityConfig } from '../support/authority.ts'

const MEMBER = { instance: 'KH-TEST', memberClass: 'GOV', member: 'ក្រសួង' }

let folder: string
let running: RunningAuthority
const file = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spean-ca-'))
  const config = authorityConfig({ stateDir: file('state'), approval: true })
  running = await startAuthority(config, { logger: pino({ level: 'silent' }) })
  writeFileSync(file('root.pem'), running.authority.root.pem)
  writePrivateFile(file('token'), running.adminToken)
  const authority = { url: running.adminUrl, tokenFile: 'token' }
  const profile = { instance: 'KH-TEST', caFile: 'root.pem', authority, gateways: {} }
  writeFileSync(file('spean.json'), JSON.stringify(profile))
})
afterAll(async () => {
  await running[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const run = promisify(execFile)

async function spean(...args: string[]): Promise<{ exitCode: number; output: string }> {
  try {
    const all = ['cli/main.ts', '--profile', file('spean.json'), 'ca', ...args]
    const { stdout, stderr } = await run(process.execPath, all)
    return { exitCode: 0, output: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { exitCode: code, output: stdout + stderr }
  }
}

describe('spean ca', () => {
  it('issues for a key that it makes, shows, lists and revokes', async () => {
    const id = `GOV/${MEMBER.member}`
    const issued = await spean(
      ...['issue', 'signing', id, '--key-out', file('s.key'), '--out', file('s.pem')],
    )
    expect(issued.exitCode, issued.output).toBe(0)
    const [leaf, issuer] = parseCertificates(readFileSync(file('s.pem'), 'utf8'))
    expect(leaf!.identity).toEqual(MEMBER)
    expect(issuer!.thumbprint).toBe(running.authority.issuers.signing.thumbprint)
    expect(statSync(file('s.key')).mode & 0o777).toBe(0o600)
    const over = await spean('issue', 'signing', id, '--key-out', file('s.key'))
    expect(over).toMatchObject({ exitCode: 2 })

    const { serial } = leaf!
    expect((await spean('show', serial)).output).toContain('BEGIN CERTIFICATE')
    expect((await spean('list', '--kind', 'signing', '--state', 'valid')).output).toContain(serial)
    const again = await spean(
      'issue',
      'signing',
      id,
      '--key-out',
      file('t.key'),
      '--out',
      file('t.pem'),
    )
    expect(again.exitCode, again.output).toBe(0)
    const [other] = parseCertificates(readFileSync(file('t.pem'), 'utf8'))
    const revoked = await spean('revoke', '--serial', serial, '--reason', 'superseded')
    expect(revoked.output).toContain('OCSP answers say so at once')
    // Who is to be shut out may hold a renewed one.
    expect(revoked.output).toMatch(new RegExp(`^Still in force .*: ${other!.serial}\\.$`, 'm'))
    expect((await spean('list', '--state', 'revoked')).output).toContain(serial)
    expect((await spean('list', '--state', 'valid')).output).not.toContain(serial)
    expect((await spean('crl')).output).toMatch(/signing +2/)
    expect((await spean('journal')).output).toMatch(/certificate-revoked +/)
  })

  it('gives out a code, approves who comes with it, and takes one back', async () => {
    const names = ['--name', 'gw.example', '--name', '192.0.2.7']
    const made = await spean('code', 'add', '--gateway', `GOV/${MEMBER.member}/GW-1`, ...names)
    expect(made.exitCode, made.output).toBe(0)
    const code = /^code +(\S+)$/m.exec(made.output)![1]!
    // The line that it prints is one that `spean enroll` reads, and the code is not in it.
    const [, line = ''] =
      /^ {2}spean (enroll.*)$/s.exec(made.output.slice(made.output.indexOf('  spean'))) ?? []
    expect(line.trim().split(/[\s\\]+/)).toEqual([
      ...['enroll', '--authority', running.estUrl, '--anchor', 'anchor.json'],
      ...['--gateway', `${MEMBER.instance}/GOV/${MEMBER.member}/GW-1`],
      ...['--address', 'https://gw.example:5500', '--name', 'gw.example', '192.0.2.7'],
      ...['--dir', 'gateway'],
    ])
    const csr = (await createCsr({ identity: MEMBER, key: await generateKey('P-256') })).der
    const enrol = () => running.authority.enrol({ csr, code, remoteAddress: '192.0.2.1' })
    expect(await enrol()).toHaveProperty('retryAfterMs')
    expect((await spean('request', 'list')).output).toMatch(/1 +pending .*192\.0\.2\.1/)
    expect((await spean('request', 'approve', '1')).exitCode).toBe(0)
    expect(await enrol()).toHaveProperty('certificate')
    const again = await spean('request', 'reject', '1', '--reason', 'too late')
    expect(again).toMatchObject({ exitCode: 1 })
    expect(again.output).toContain('admin.conflict')
    const listed = await spean('code', 'list')
    expect(listed.output).toContain('(issued)')
    expect(listed.output).not.toContain(code)
    const id = /^id +(\S+)$/m.exec(made.output)![1]!
    expect((await spean('code', 'remove', id)).exitCode).toBe(0)
  })

  it('says what is wrong with what was typed', async () => {
    for (const [args, text] of [
      [['issue', 'sealing', 'GOV/X', '--key-out', file('x')], 'is none of authentication'],
      [['issue', 'authentication', 'GOV/X', '--key-out', file('x')], 'CLASS/MEMBER/GATEWAY'],
      [['issue', 'signing', 'GOV/X'], '--csr'],
      [['code', 'add'], '--gateway'],
      [['code', 'add', '--gateway', 'GOV/X/1'], '--name'],
      [['code', 'add', '--member', 'GOV/X', '--expires', 'soon'], '7'],
      [['revoke', '--serial', '12'], '--reason'],
    ] as const) {
      const { exitCode, output } = await spean(...args)
      expect([exitCode, output]).toEqual([2, expect.stringContaining(text)])
    }
    const unknown = await spean('revoke', '--serial', '12', '--reason', 'certificateHold')
    expect(unknown.output).toContain('refused (admin.invalid)')
  })
})
