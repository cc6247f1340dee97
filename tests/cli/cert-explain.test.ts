import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  approvedBy,
  approvedByFile,
  NOBODY,
  type Approved,
} from '../../cli/cert-explain/approved.ts'
import { explainFile } from '../../cli/cert-explain/explain.ts'
import type { Explanation } from '../../cli/cert-explain/explanation.ts'
import { parseCertificate } from '../../pki/certificate.ts'
import { createTspRejection } from '../../pki/tsp-status.ts'
import type { Snapshot, SubjectProfile } from '../../protocol/snapshot.ts'
import { ConfigError } from '../../runtime/config.ts'
import {
  startOpensslAuthority,
  type OpensslAuthority,
  type OpensslCertificate,
} from '../support/openssl-authority.ts'

const run = promisify(execFile)
const openssl = (args: string[]) => run('openssl', args)
const dir = mkdtempSync(join(tmpdir(), 'explain-'))
const at = (name: string): string => join(dir, name)
const CAMDX: SubjectProfile = {
  instance: { attribute: '2.5.4.10', separator: '/', index: 0, pieces: 3 },
  gateway: { attribute: '2.5.4.10', separator: '/', index: 1, pieces: 3 },
  memberClass: { attribute: '2.5.4.10', separator: '/', index: 2, pieces: 3 },
  member: { attribute: '2.5.4.3' },
}
const MOI = 'KH/GOV/ក្រសួង'

let authority: OpensslAuthority
let signing: OpensslCertificate
let revoked: OpensslCertificate
beforeAll(async () => {
  authority = await startOpensslAuthority(dir)
  const subject = '/C=KH/O=KH\\/GW1\\/GOV/CN=ក្រសួង'
  signing = await authority.issue('signing', subject, 'signing', 'RSA-2048')
  revoked = await authority.issue('revoked', subject, 'signing', 'P-256')
  // Times in certificates are of whole seconds.
  await delay(1100)
  await authority.revoke(revoked, 'superseded')
  const { response } = await authority.timeStamp('data')
  writeFileSync(at('stamp.tsr'), response)
})
afterAll(async () => {
  await authority[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true, force: true })
})

const der = (pem: string): string => parseCertificate(pem).der.toString('base64')
/** What a catalogue says that approved the authority and lists some certificates. */
function catalogue(listed: readonly OpensslCertificate[], profile?: SubjectProfile): Approved {
  const certificates = authority.certificates.map(der)
  const snapshot: Snapshot = {
    ...{ version: 1, instance: 'KH', number: 7, issuedAt: '', expiresAt: '' },
    ...{ gateways: [], groups: [] },
    authorities: [
      { name: 'national', certificates, ...(profile ? { subjectProfile: profile } : {}) },
    ],
    members: [
      {
        id: MOI,
        name: 'Interior',
        signingCertificates: listed.map(({ pem }) => der(pem)),
        subsystems: [],
      },
    ],
  }
  return approvedBy(snapshot, 'https://catalogue')
}
const explain = (file: string, approved = NOBODY, time = new Date()): Promise<Explanation> =>
  explainFile(file, { approved, at: time })
const wrongs = ({ findings }: Explanation): string[] =>
  findings.filter(({ severity }) => severity === 'wrong').map(({ what }) => what)
const file = (name: string, content: string | Buffer): string => {
  writeFileSync(at(name), content)
  return at(name)
}

describe('a certificate of an approved authority', () => {
  it('is good, with all that is known of it', async () => {
    const answer = await explain(signing.certificateFile, catalogue([signing], CAMDX))
    expect([answer.good, answer.findings, answer.unknown]).toEqual([true, [], []])
    expect(answer.what).toMatch(/for signing/)
    expect(answer.facts).toMatchObject({
      whose: 'KH/GOV/ក្រសួង/GW1',
      profile: 'the subject profile of national',
      key: expect.stringMatching(/^RSA 2048 bits/) as string,
      valid: expect.stringMatching(/36\d days left$/) as string,
      catalogue: [`listed for member ${MOI}`],
    })
    expect(answer.chain?.map(({ from }) => from)).toEqual([
      'in the file',
      'approved as national',
      'approved as national',
    ])
    for (const { checks } of answer.chain ?? [])
      expect(new Set(Object.values(checks))).toEqual(new Set([null]))
    expect(answer.revocation).toMatchObject([
      {
        by: 'OCSP',
        url: authority.ocspUrl,
        status: 'good',
        age: expect.stringMatching(/second/) as string,
      },
      { by: 'CRL', status: 'good' },
    ])
  })

  it('that is revoked is so by responder and list, with time and reason', async () => {
    const answer = await explain(revoked.certificateFile, catalogue([revoked], CAMDX))
    expect(answer.good).toBe(false)
    expect(answer.revocation).toMatchObject([
      { by: 'OCSP', status: 'revoked', reason: 'superseded' },
      { by: 'CRL', status: 'revoked', reason: 'superseded' },
    ])
    expect(wrongs(answer)[0]).toMatch(/was revoked at 20.*superseded/)
  })

  it('that was revoked later was good at an earlier time', async () => {
    const time = new Date(parseCertificate(revoked.pem).notBefore.getTime())
    const answer = await explain(revoked.certificateFile, catalogue([revoked], CAMDX), time)
    expect([answer.good, wrongs(answer)]).toEqual([true, []])
    expect(answer.findings[0]?.remedy).toMatch(/At the time asked about it was good/)
  })

  it('that the catalogue does not list is told where to go', async () => {
    const answer = await explain(signing.certificateFile, catalogue([], CAMDX))
    expect(answer.facts.catalogue).toBe('not listed')
    expect(answer.findings.at(-1)?.remedy).toMatch(/spean member certificate/)
  })

  it('that names nobody by the profile says which part', async () => {
    const answer = await explain(signing.certificateFile, catalogue([signing]))
    expect(wrongs(answer)).toEqual([
      expect.stringMatching(/names nobody by .*national.*: instance: .*slash/),
    ])
  })

  it('of a server names a host and nobody: that is no fault', async () => {
    const server = await authority.issue('host', '/CN=tsa.example', 'server', 'P-256')
    const answer = await explain(server.certificateFile, catalogue([]))
    expect(answer.facts).not.toHaveProperty('whose')
    expect(wrongs(answer)).toEqual([])
  })

  it('that is over, or not valid yet, is so at the time asked about', async () => {
    const approved = catalogue([signing], CAMDX)
    const late = await explain(signing.certificateFile, approved, new Date('2099-01-01'))
    expect(wrongs(late)[0]).toMatch(/^It ended \d+ days ago/)
    const early = await explain(signing.certificateFile, approved, new Date('2020-01-01'))
    expect(wrongs(early)[0]).toMatch(/^It is not valid yet: it begins in \d+ days/)
    expect(early.unknown.join()).toMatch(/answers are about now/)
  })

  it('whose responder is gone is of unknown state, and says whom it asked', async () => {
    const { pem } = signing
    const closed = await startOpensslAuthority(mkdtempSync(join(dir, 'gone-')))
    const certificate = await closed.issue('x', '/O=KH\\/GW1\\/GOV/CN=X', 'signing', 'P-256')
    await closed[Symbol.asyncDispose]()
    const approved = approvedByFile(closed.certificates.join(''), 'ca.pem')
    const answer = await explain(certificate.certificateFile, approved)
    expect(answer.revocation?.map(({ status }) => status)).toEqual(['unknown', 'unknown'])
    expect(wrongs(answer).at(-1)).toMatch(/state .* is not known: .*ECONNREFUSED/)
    expect(pem).not.toBe(certificate.pem)
  })
})

describe('a chain', () => {
  it('without its intermediate breaks off, and says at whom', async () => {
    const approved = approvedByFile(authority.certificates[0], 'root.pem')
    const answer = await explain(file('alone.pem', signing.pem), approved)
    expect(wrongs(answer)).toEqual([expect.stringMatching(/breaks off: CN=National Issuing/)])
    expect((await explain(signing.certificateFile, approved)).good).toBe(true)
  })

  it('that ends at a root which is not approved is refused', async () => {
    const other = await startOpensslAuthority(mkdtempSync(join(dir, 'other-')))
    await other[Symbol.asyncDispose]()
    const approved = approvedByFile(other.certificates[0], 'root.pem')
    const chain = file('full.pem', signing.chain + authority.certificates[0])
    const answer = await explain(chain, approved)
    // Of one name, and of another key: the links tell.
    expect(answer.good).toBe(false)
    expect(wrongs(answer).join()).toMatch(/not approved by the file root\.pem|signature/)
  })

  it('is explained with fewer facts when nothing is known, and says so', async () => {
    const answer = await explain(signing.certificateFile)
    expect(answer.good).toBe(true)
    expect(answer.unknown.join()).toMatch(/--profile, --anchor or --ca/)
  })

  it('of a PKCS#7 bundle begins at the certificate, in whatever order it stands', async () => {
    await openssl([
      'crl2pkcs7',
      '-nocrl',
      '-certfile',
      signing.certificateFile,
      '-out',
      at('x.p7b'),
    ])
    await openssl(['pkcs7', '-in', at('x.p7b'), '-outform', 'DER', '-out', at('x.p7c')])
    for (const name of ['x.p7b', 'x.p7c']) {
      const answer = await explain(at(name), catalogue([signing], CAMDX))
      expect([answer.good, answer.facts.subject]).toEqual([
        true,
        parseCertificate(signing.pem).subject,
      ])
    }
  })
})

describe('what is no certificate is told by its kind', () => {
  const convert = async (name: string, ...args: string[]): Promise<string> => {
    await openssl([...args, '-out', at(name)])
    return at(name)
  }
  it.each<[string, () => string | Promise<string>, RegExp, boolean]>([
    ['a request', () => at('signing.csr'), /request/, true],
    ['a list', () => file('crl', authority.crl()), /revocation list/, true],
    [
      'a list in DER',
      () => convert('crl.x', 'crl', '-in', at('crl.pem'), '-outform', 'DER'),
      /revocation list/,
      true,
    ],
    ['a private key', () => at('signing.key'), /private key/, true],
    [
      'a private key in DER',
      () => convert('key.der', 'pkey', '-in', at('signing.key'), '-outform', 'DER'),
      /private key/,
      true,
    ],
    [
      'a public key',
      () => convert('pub.pem', 'pkey', '-in', at('signing.key'), '-pubout'),
      /public key/,
      true,
    ],
    [
      'an encrypted key',
      () => convert('enc.pem', 'pkey', '-in', at('signing.key'), '-aes256', '-passout', 'pass:x'),
      /encrypted private key/,
      true,
    ],
    [
      'a key store',
      () =>
        convert(
          ...(['x.p12', 'pkcs12', '-export', '-in', at('signing.pem')] as const),
          ...['-inkey', at('signing.key'), '-passout', 'pass:x'],
        ),
      /PKCS#12/,
      true,
    ],
    ['a time-stamp answer', () => at('stamp.tsr'), /time-stamp answer/, true],
    [
      'a time-stamp token',
      () => convert('stamp.tst', 'ts', '-reply', '-in', at('stamp.tsr'), '-token_out'),
      /time-stamp token/,
      true,
    ],
    ['a time-stamp request', () => at('data.tsq'), /time-stamp request/, true],
    ['an OCSP answer', () => at('refresh.ors'), /OCSP answer/, true],
    [
      'an HTML page',
      () => file('x.html', '<!DOCTYPE html>\n<html><body>Login'),
      /HTML page/,
      false,
    ],
    ['an empty file', () => file('empty', ''), /empty file/, false],
    ['a text', () => file('text', 'hello'), /text without PEM/, false],
    ['bytes', () => file('bytes', Buffer.from([1, 0, 2, 0, 3])), /no kind that is known/, false],
    ['JSON', () => file('json', '{"a": 1}'), /JSON/, false],
    ['PEM without its end', () => file('half.pem', signing.pem.slice(0, 300)), /cut off/, false],
    [
      'PEM of something else',
      () => file('pgp', '-----BEGIN PGP MESSAGE-----\nAAAA\n-----END PGP MESSAGE-----\n'),
      /PGP MESSAGE/,
      false,
    ],
  ])('%s', async (_what, make, kind, good) => {
    const answer = await explain(
      await make(),
      approvedByFile(authority.certificates.join(''), 'ca'),
    )
    expect(answer.what).toMatch(kind)
    expect(answer.good).toBe(good)
    if (!good) expect(answer.findings[0]?.remedy).toMatch(/./)
  })

  it('a refused time-stamp by the name of the failure', async () => {
    expect(wrongs(await explain(file('x', createTspRejection('badAlg', ''))))[0]).toMatch(/badAlg/)
  })

  it('a list with its age, and whose it is', async () => {
    const approved = catalogue([], CAMDX)
    const answer = await explain(file('list.pem', authority.crl()), approved)
    expect(answer.facts).toMatchObject({
      issuer: expect.stringMatching(/National Issuing/) as string,
      issued: expect.stringMatching(/old$/) as string,
      revoked: '1 certificate',
      signature: expect.stringMatching(/approved/) as string,
    })
    const late = await explain(at('list.pem'), approved, new Date('2099-01-01'))
    expect(wrongs(late)[0]).toMatch(/held until/)
  })

  it('a request with whose it would be, by the profile of each authority', async () => {
    const { facts } = await explain(at('signing.csr'), catalogue([], CAMDX))
    expect(facts['would be whose']).toEqual(['by national: KH/GOV/ក្រសួង/GW1'])
  })

  it('a key that others can read', async () => {
    const answer = await explain(file('open.key', signing.key))
    expect(wrongs(answer)).toEqual([expect.stringMatching(/Others than its owner/)])
  })

  it('damaged DER, cut off at every byte', async () => {
    const { der: whole } = parseCertificate(signing.pem)
    for (let length = 1; length < whole.length; length += 7) {
      const answer = await explain(file('cut.der', whole.subarray(0, length)))
      expect([length, answer.good]).toEqual([length, false])
    }
  })

  it('damaged messages of every kind, with a byte changed here and there', async () => {
    for (const name of ['stamp.tsr', 'refresh.ors', 'data.tsq', 'crl.der']) {
      const whole = readFileSync(at(name))
      for (let place = 0; place < whole.length; place += 11) {
        const altered = Buffer.from(whole)
        altered[place]! ^= 0x41
        expect((await explain(file('altered', altered))).what).toMatch(/./)
      }
    }
  })

  it('no file at all, as a mistake of the caller', async () => {
    await expect(explain(at('nowhere'))).rejects.toThrow(ConfigError)
  })
})
