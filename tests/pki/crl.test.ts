import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { CertificateError, type Certificate } from '../../pki/certificate.ts'
import { createCrl, parseCrl, verifyCrl, type CrlEntry } from '../../pki/crl.ts'
import { parseDer } from '../../pki/der.ts'
import { sequence } from '../../pki/der-writer.ts'
import { toPem } from '../../pki/pem.ts'
import { REVOCATION_REASONS, type RevocationReason } from '../../pki/revocation-reason.ts'
import { generateKey, type KeyKind } from '../../pki/keys.ts'
import {
  alterations,
  createLeaf,
  createTestAuthority,
  later,
  NOW,
  openssl,
  outcomeOf,
  temporaryFolder,
  truncations,
  writeFiles,
  type TestAuthority,
  type TestIssuer,
} from './support.ts'

const unknown = expect.objectContaining({ code: 'certificate.status-unknown' }) as Error
const stale = expect.objectContaining({ code: 'certificate.status-stale' }) as Error

interface ListOptions {
  readonly entries?: readonly CrlEntry[]
  readonly number?: number | bigint
  readonly nextUpdate?: Date
}

const listOf = (issuer: TestIssuer, options: ListOptions = {}): Promise<Buffer> =>
  createCrl({
    issuer,
    entries: [],
    number: 1,
    thisUpdate: NOW,
    nextUpdate: later(7),
    ...options,
  })

const revoked = (
  { serial }: { serial: string },
  reason: RevocationReason = 'keyCompromise',
): CrlEntry => ({
  serial,
  revokedAt: later(-1),
  reason,
})

let authority: TestAuthority
let leaf: Certificate
beforeAll(async () => {
  ;({ authority, leaf } = await createLeaf())
})

describe.each(['P-256', 'P-384', 'RSA-2048'] as KeyKind[])('revocation list of %s', (kind) => {
  let folder: string
  let made: Awaited<ReturnType<typeof createLeaf>>

  /** What openssl says of the leaf under lists of both authorities, with every check on. */
  async function judge(rootList: Buffer, issuingList: Buffer) {
    const { root, issuing } = made.authority
    folder = temporaryFolder()
    writeFiles(folder, {
      'root.pem': root.certificate.pem,
      'issuing.pem': issuing.certificate.pem,
      'leaf.pem': made.leaf.pem,
      'lists.pem': toPem('X509 CRL', rootList) + toPem('X509 CRL', issuingList),
    })
    return await openssl(
      ['verify', '-x509_strict', '-crl_check_all', '-attime', String(NOW.getTime() / 1000)],
      ['-CAfile', join(folder, 'root.pem'), '-untrusted', join(folder, 'issuing.pem')],
      ['-CRLfile', join(folder, 'lists.pem'), join(folder, 'leaf.pem')],
    )
  }

  beforeAll(async () => {
    made = await createLeaf(kind)
  })

  it('lets openssl accept what is not on it, and refuse what is', async () => {
    const { root, issuing } = made.authority
    const other = [revoked({ serial: 'f00d' }), revoked({ serial: '7f' }, 'unspecified')]
    const good = await judge(await listOf(root), await listOf(issuing, { entries: other }))
    expect(good).toEqual({ exitCode: 0, output: expect.stringContaining('OK') as string })
    const withLeaf = await listOf(issuing, { entries: [...other, revoked(made.leaf)] })
    const bad = await judge(await listOf(root), withLeaf)
    expect(bad.exitCode).not.toBe(0)
    expect(bad.output).toContain('certificate revoked')
    const withIssuing = await listOf(root, { entries: [revoked(issuing.certificate)] })
    expect((await judge(withIssuing, await listOf(issuing))).output).toContain('revoked')
  })

  it('is refused by openssl and by us after one changed byte, wherever', async () => {
    const { root, issuing } = made.authority
    const rootList = await listOf(root)
    const der = await listOf(issuing, { entries: [revoked({ serial: 'f00d' })] })
    for (const altered of alterations(der, 12)) {
      expect((await judge(rootList, altered)).exitCode).not.toBe(0)
    }
    for (const altered of alterations(der, 1_000)) {
      const read = () => verifyCrl(parseCrl(altered), issuing.certificate, NOW)
      expect(outcomeOf(read)).toBe('refused')
    }
  })
})

describe('crl', () => {
  it('is read as it was written, and as openssl reads it', async () => {
    const reasons = Object.keys(REVOCATION_REASONS).filter(
      (reason) => reason !== 'removeFromCRL',
    ) as RevocationReason[]
    const entries = reasons.map((reason, i) => revoked({ serial: `${i + 1}f` }, reason))
    const number = 2n ** 127n + 1n
    const der = await listOf(authority.issuing, { entries, number })
    const list = parseCrl(der)
    expect(list).toMatchObject({
      issuerDer: authority.issuing.certificate.subjectDer,
      authorityKeyId: authority.issuing.certificate.subjectKeyId,
      thisUpdate: NOW,
      nextUpdate: later(7),
      number,
      unknownCritical: [],
    })
    expect([...list.entries]).toEqual(entries.map(({ serial, ...entry }) => [serial, entry]))
    expect(parseCrl(toPem('X509 CRL', der)).der).toEqual(der)

    const folder = temporaryFolder()
    writeFiles(folder, { 'a.crl': der, 'ca.pem': authority.issuing.certificate.pem })
    const { output } = await openssl(
      ['crl', '-inform', 'DER', '-in', join(folder, 'a.crl'), '-noout', '-text', '-verify'],
      ['-CAfile', join(folder, 'ca.pem')],
    )
    expect(output).toContain('verify OK')
    expect(output).toContain('Version 2 (0x1)')
    expect(output).toContain('0x80000000000000000000000000000001')
    expect(output).toContain('Key Compromise')
    expect(output.match(/X509v3 CRL Reason Code/g)).toHaveLength(reasons.length - 1)
    expect(output).toContain('X509v3 Authority Key Identifier')
  })

  it('is written without fractions of seconds, and with four digits from 2050 on', async () => {
    const nextUpdate = new Date('2050-01-01T00:00:00.999Z')
    const list = parseCrl(await listOf(authority.issuing, { nextUpdate }))
    expect(list.nextUpdate).toEqual(new Date('2050-01-01T00:00:00Z'))
  })

  it('holds ten thousand entries', async () => {
    const entries = Array.from({ length: 10_000 }, (_, i) => revoked({ serial: `a${i}a` }))
    expect(parseCrl(await listOf(authority.issuing, { entries })).entries.size).toBe(10_000)
  })

  it('takes nothing off again, and lists nothing twice', async () => {
    const removed = { entries: [revoked({ serial: '1' }, 'removeFromCRL')] }
    await expect(listOf(authority.issuing, removed)).rejects.toThrow(TypeError)
    const twice = await listOf(authority.issuing, { entries: [revoked(leaf), revoked(leaf)] })
    expect(() => parseCrl(twice)).toThrow(CertificateError)
  })

  it('is in force from thisUpdate to nextUpdate, with five minutes for clocks', async () => {
    const list = parseCrl(await listOf(authority.issuing))
    const check = (at: Date) => verifyCrl(list, authority.issuing.certificate, at)
    for (const days of [0, 7]) check(later(days))
    expect(() => check(new Date(NOW.getTime() - 6 * 60_000))).toThrow(unknown)
    expect(() => check(new Date(later(7).getTime() + 6 * 60_000))).toThrow(stale)
  })

  it('is believed of its issuer only', async () => {
    const { root, issuing } = authority
    const other = await createTestAuthority()
    const list = parseCrl(await listOf(issuing))
    for (const certificate of [root.certificate, other.issuing.certificate, leaf]) {
      expect(() => verifyCrl(list, certificate, NOW)).toThrow(unknown)
    }
    // A leaf that writes a list in its own name.
    const key = await generateKey('P-256')
    const certificate = await authority.issue({ profile: 'signing', publicKey: key.publicKey })
    const forged = parseCrl(await listOf({ certificate, key }))
    expect(() => verifyCrl(forged, certificate, NOW)).toThrow(unknown)
  })

  it('is refused when a critical extension in it is not understood', async () => {
    const folder = temporaryFolder()
    writeFiles(folder, {
      'ca.pem': authority.issuing.certificate.pem,
      'ca.key': authority.issuing.key.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      'index.txt': '',
      'ca.cnf': [
        '[ca]\ndefault_ca=own\n[own]',
        `database=${join(folder, 'index.txt')}\ndefault_md=sha256`,
        'default_crl_days=3\ncrl_extensions=ext',
        '[ext]\nissuingDistributionPoint=critical,@part\n[part]\nonlyuser=TRUE\n',
      ].join('\n'),
    })
    const file = join(folder, 'part.pem')
    const gencrl = ['ca', '-gencrl', '-config', join(folder, 'ca.cnf'), '-out', file]
    const keys = ['-cert', join(folder, 'ca.pem'), '-keyfile', join(folder, 'ca.key')]
    expect(await openssl(gencrl, keys)).toMatchObject({ exitCode: 0 })
    const { output } = await openssl(['crl', '-in', file])
    const list = parseCrl(output)
    expect(list.unknownCritical).toEqual(['2.5.29.28'])
    expect(() => verifyCrl(list, authority.issuing.certificate, list.thisUpdate)).toThrow(unknown)
  })

  it('is told from other structures, and refused at every truncation', async () => {
    const der = await listOf(authority.issuing, { entries: [revoked(leaf)] })
    const malformed = expect.objectContaining({
      code: 'certificate.malformed',
      message: expect.stringContaining('it is a certificate') as string,
    }) as Error
    expect(() => parseCrl(leaf.der)).toThrow(malformed)
    expect(() => parseCrl(leaf.pem)).toThrow('the text holds a certificate and no X509 CRL')
    for (const bytes of truncations(der)) expect(outcomeOf(() => parseCrl(bytes))).toBe('refused')
    const [toBeSigned, algorithm, signature] = parseDer(der).children.map(({ encoded }) => encoded)
    const swapped = sequence(toBeSigned!, signature!, algorithm!)
    expect(outcomeOf(() => parseCrl(swapped))).toBe('refused')
  })
})
