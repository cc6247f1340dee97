/** What the verifier makes of a foreign authority: openssl answers, by a configuration file of its own. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { Certificate } from '../../pki/certificate.ts'
import { createTspRequest } from '../../pki/tsp-request.ts'
import { verifyTimeStamp, type TimeStamp } from '../../pki/tsp-verify.ts'
import { createTsa, TSA_EXTENSIONS, type TestTsa } from './tsp-support.ts'
import { writeFiles } from './support.ts'

const DIGEST = createHash('sha256').update('data').digest()
const NONCE = Buffer.from('0102030405060708', 'hex')

/** Of openssl's own authority (openssl-ts(1)). */
const config = (folder: string, changes: Record<string, string> = {}): string => {
  const options = {
    dir: folder,
    serial: '$dir/serial.txt',
    signer_cert: '$dir/tsa.pem',
    signer_key: '$dir/tsa.key',
    signer_digest: 'sha256',
    default_policy: '1.2.3.4.1',
    other_policies: '1.2.3.4.5.6',
    digests: 'sha256, sha384, sha512',
    accuracy: 'secs:1, millisecs:500, microsecs:100',
    clock_precision_digits: '6',
    ess_cert_id_chain: 'no',
    ess_cert_id_alg: 'sha256',
    ...changes,
  }
  const lines = Object.entries(options).map(([name, value]) => `${name} = ${value}`)
  return `[tsa]\ndefault_tsa = own\n[own]\n${lines.join('\n')}\n`
}

let open: TestTsa | undefined
afterEach(() => open?.[Symbol.dispose]())

async function foreign(
  kind: 'P-256' | 'P-384' | 'RSA-2048' = 'P-256',
  extensions = TSA_EXTENSIONS,
): Promise<TestTsa> {
  open = await createTsa(kind, { extensions })
  writeFiles(open.folder, { 'serial.txt': '0A\n' })
  return open
}

/** The answer of openssl to a request of ours. */
async function reply(tsa: TestTsa, changes: Record<string, string> = {}): Promise<Buffer> {
  const request = createTspRequest({ hash: 'sha256', digest: DIGEST, nonce: NONCE, certReq: true })
  writeFiles(tsa.folder, { 'tsa.cnf': config(tsa.folder, changes), 'request.tsq': request })
  const args = ['-queryfile', 'request.tsq', '-config', 'tsa.cnf', '-out', 'reply.tsr']
  await tsa.run('ts', '-reply', ...args)
  return readFileSync(join(tsa.folder, 'reply.tsr'))
}

function verify(
  der: Buffer,
  anchors: readonly Certificate[],
  changes: Partial<Parameters<typeof verifyTimeStamp>[1]> = {},
): TimeStamp {
  const at = new Date()
  const expected = { hash: 'sha256', digest: DIGEST, nonce: NONCE, anchors, at } as const
  return verifyTimeStamp(der, { ...expected, toleranceMs: 60_000, ...changes })
}

const code = (name: string) => expect.objectContaining({ code: name }) as unknown

describe("tokens of openssl's own authority", () => {
  it.each(['P-256', 'P-384', 'RSA-2048'] as const)('are accepted: %s', async (kind) => {
    const tsa = await foreign(kind)
    const digest = kind === 'P-384' ? 'sha512' : 'sha256'
    const der = await reply(tsa, { signer_digest: digest, tsa_name: 'yes' })
    const stamp = verify(der, [tsa.root])
    expect(stamp).toMatchObject({ policy: '1.2.3.4.1', accuracyMs: 1500.1, serial: 'b' })
    expect(stamp.tsa.thumbprint).toBe(tsa.certificate.thumbprint)
    expect(verify(der, [tsa.certificate], { policy: '1.2.3.4.1' })).toEqual({
      ...stamp,
      path: [tsa.certificate],
    })
    expect(() => verify(der, [tsa.root], { policy: '1.2.3.4.2' })).toThrow(
      code('timestamp.invalid'),
    )
  })

  it('are accepted when they name their signer by SHA-1 alone, as many still do', async () => {
    const tsa = await foreign()
    const der = await reply(tsa, { ess_cert_id_alg: 'sha1' })
    await tsa.run('ts', '-reply', '-in', 'reply.tsr', '-token_out', '-out', 'token.der')
    const shown = await tsa.run('cms', '-cmsout', '-print', '-in', 'token.der', '-inform', 'DER')
    expect(shown).not.toContain('signingCertificateV2')
    expect(verify(der, [tsa.root]).serial).toBe('b')
  })

  it('are refused for other data, another nonce, another time, other anchors', async () => {
    const tsa = await foreign()
    using other = await createTsa()
    const der = await reply(tsa)
    const refused = (changes: object, name: string, anchors = [tsa.root]): void =>
      expect(() => verify(der, anchors, changes)).toThrow(code(name))
    refused({ digest: Buffer.alloc(32) }, 'timestamp.invalid')
    refused({ nonce: Buffer.from('0102', 'hex') }, 'timestamp.invalid')
    refused({ hash: 'sha512', digest: Buffer.alloc(64) }, 'timestamp.invalid')
    refused({ at: new Date(Date.now() + 3_600_000) }, 'timestamp.invalid')
    refused({}, 'timestamp.untrusted', [other.root])
    refused({}, 'timestamp.untrusted', [other.certificate])
    refused({ at: new Date('2060-01-01'), toleranceMs: undefined }, 'timestamp.untrusted')
  })

  it('are refused with the status and the bits in words', async () => {
    const tsa = await foreign()
    const der = await reply(tsa, { digests: 'sha512' })
    expect(() => verify(der, [tsa.root])).toThrow(
      expect.objectContaining({
        code: 'timestamp.refused',
        message: expect.stringMatching(/^it says rejection, badAlg: .*not supported/) as string,
      }),
    )
  })
})

describe('a certificate that is not for time-stamping alone', () => {
  it.each([
    ['not critical', 'extendedKeyUsage = timeStamping', 'not critical'],
    [
      'for TLS as well',
      'extendedKeyUsage = critical,timeStamping,serverAuth',
      'not time-stamping alone',
    ],
    ['for TLS', 'extendedKeyUsage = critical,serverAuth', 'has no 1.3.6.1.5.5.7.3.8'],
    ['for anything', '', 'has no 1.3.6.1.5.5.7.3.8'],
  ])('is refused: %s', async (_name, usage, why) => {
    const extensions = TSA_EXTENSIONS.replace(
      /extendedKeyUsage.*\n/,
      usage === '' ? '' : `${usage}\n`,
    )
    const tsa = await foreign('P-256', extensions)
    // openssl refuses to sign with it, so ours does.
    using stamping = tsa.open()
    const request = createTspRequest({
      hash: 'sha256',
      digest: DIGEST,
      nonce: NONCE,
      certReq: true,
    })
    const der = await stamping.answer(request)
    for (const anchor of [tsa.root, tsa.certificate]) {
      expect(() => verify(der, [anchor])).toThrow(
        expect.objectContaining({
          code: 'timestamp.untrusted',
          message: expect.stringContaining(why) as string,
        }),
      )
    }
  })
})
