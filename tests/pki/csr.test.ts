import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CertificateError } from '../../pki/certificate.ts'
import { createCsr, parseCsr } from '../../pki/csr.ts'
import { generateKey } from '../../pki/keys.ts'
import {
  alterations,
  GATEWAY,
  openssl,
  outcomeOf,
  temporaryFolder,
  truncations,
  writeFiles,
} from './support.ts'

const NAMES = ['gateway.moi.example', '10.0.0.7', '2001:db8::1']

describe('csr', () => {
  it.each(['P-256', 'P-384', 'RSA-2048'] as const)(
    'makes a request with a key of kind %s that openssl verifies',
    async (kind) => {
      const key = await generateKey(kind)
      const folder = temporaryFolder()
      const request = await createCsr({ identity: GATEWAY, key, subjectAltNames: NAMES })
      writeFiles(folder, { 'made.csr': request.pem })
      const { exitCode, output } = await openssl([
        'req',
        '-verify',
        '-noout',
        '-text',
        '-in',
        join(folder, 'made.csr'),
      ])
      expect(exitCode).toBe(0)
      expect(output).toContain('DNS:gateway.moi.example, IP Address:10.0.0.7')
      const parsed = parseCsr(request.der)
      expect(parsed).toMatchObject({ identity: GATEWAY, subjectAltNames: NAMES })
      expect(parsed.publicKey.equals(key.publicKey)).toBe(true)
    },
  )

  it.each([
    ['ec', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']],
    ['rsa', ['-newkey', 'rsa:2048']],
  ])('reads a request that openssl made (%s)', async (_what, key) => {
    const folder = temporaryFolder()
    const file = join(folder, 'made.csr')
    const subject = '/O=KH-TEST/OU=GOV/CN=ក្រសួងមហាផ្ទៃ/serialNumber=MOI-1'
    const made = await openssl(
      ['req', '-new', '-nodes', ...key, '-utf8', '-subj', subject, '-out', file],
      ['-keyout', join(folder, 'made.key')],
      ['-addext', 'subjectAltName=DNS:gateway.moi.example,IP:10.0.0.7,IP:2001:db8::1'],
    )
    expect(made.exitCode).toBe(0)
    expect(parseCsr(readFileSync(file, 'utf8'))).toMatchObject({
      identity: GATEWAY,
      subjectAltNames: NAMES,
    })
  })

  it('refuses a request signed with another key than the one it names', async () => {
    const [named, signing] = [await generateKey('P-256'), await generateKey('P-256')]
    const key = { ...signing, publicKey: named.publicKey }
    const request = await createCsr({ identity: GATEWAY, key })
    expect(() => parseCsr(request.der)).toThrow(CertificateError)
  })

  it('refuses a weak key', async () => {
    const folder = temporaryFolder()
    const file = join(folder, 'made.csr')
    await openssl(
      ['req', '-new', '-nodes', '-newkey', 'rsa:1024', '-subj', '/O=a/OU=b/CN=c'],
      ['-out', file, '-keyout', join(folder, 'made.key')],
    )
    expect(() => parseCsr(readFileSync(file, 'utf8'))).toThrow(CertificateError)
  })

  it('refuses every truncation and every altered byte', async () => {
    const key = await generateKey('P-256')
    const { der } = await createCsr({ identity: GATEWAY, key, subjectAltNames: NAMES })
    for (const bytes of truncations(der)) expect(outcomeOf(() => parseCsr(bytes))).toBe('refused')
    // Every byte is signed, is the signature, or is the frame around both.
    for (const bytes of alterations(der)) expect(outcomeOf(() => parseCsr(bytes))).toBe('refused')
  })
})
