import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DEFAULT_POLICY } from '../../pki/authority/time-stamping.ts'
import { oid } from '../../pki/der-writer.ts'
import { OID } from '../../pki/oids.ts'
import { TSP_HASHES } from '../../pki/tsp-hash.ts'
import { createTspRequest } from '../../pki/tsp-request.ts'
import { verifyTimeStamp } from '../../pki/tsp-verify.ts'
import { alterations, openssl, writeFiles } from './support.ts'
import { createTsa, type TestTsa } from './tsp-support.ts'

const DATA = 'កំណត់ត្រា'
const NONCE = Buffer.from('fe0011223344556677', 'hex')

describe.each(['P-256', 'P-384', 'RSA-2048'] as const)('tokens signed with %s', (kind) => {
  let tsa: TestTsa
  beforeAll(async () => {
    tsa = await createTsa(kind)
    writeFiles(tsa.folder, { 'data.txt': DATA })
  })
  afterAll(() => tsa[Symbol.dispose]())

  /** Has openssl ask with these options, and leaves request.tsq and reply.tsr in the folder. */
  const stamp = async (...options: string[]): Promise<Buffer> => {
    await tsa.run('ts', '-query', '-data', 'data.txt', '-out', 'request.tsq', ...options)
    using stamping = tsa.open()
    const reply = await stamping.answer(readFileSync(join(tsa.folder, 'request.tsq')))
    writeFiles(tsa.folder, { 'reply.tsr': reply })
    return reply
  }

  it.each([...TSP_HASHES])(
    'satisfy openssl ts -verify for %s, by query and by data',
    async (hash) => {
      await stamp(`-${hash}`, '-cert')
      const chain = ['-in', 'reply.tsr', '-CAfile', 'root.pem']
      await tsa.run('ts', '-verify', '-queryfile', 'request.tsq', ...chain)
      await tsa.run('ts', '-verify', '-data', 'data.txt', ...chain)
    },
  )

  it('satisfy it without certificates in them, and with a policy asked for', async () => {
    await stamp('-sha256', '-tspolicy', DEFAULT_POLICY)
    const chain = ['-in', 'reply.tsr', '-CAfile', 'root.pem', '-untrusted', 'tsa.pem']
    await tsa.run('ts', '-verify', '-queryfile', 'request.tsq', ...chain)
    const text = await tsa.run('ts', '-reply', '-in', 'reply.tsr', '-text')
    expect(text).toContain('Status: Granted.')
    expect(text).toContain(`Policy OID: ${DEFAULT_POLICY}`)
    expect(text).toMatch(/Serial number: 0x[0-9A-F]{17,32}\n/)
    expect(text).toContain('Accuracy: 0x01 seconds, unspecified millis, unspecified micros')
    expect(text).toContain('Ordering: no')
    expect(text).toMatch(/Nonce: 0x/)
  })

  it('satisfy openssl cms -verify, and name their signer by ESSCertIDv2', async () => {
    await stamp('-sha256', '-cert')
    await tsa.run('ts', '-reply', '-in', 'reply.tsr', '-token_out', '-out', 'token.der')
    await tsa.run(
      ...['cms', '-verify', '-in', 'token.der', '-inform', 'DER', '-out', 'content.der'],
      ...['-CAfile', 'root.pem', '-purpose', 'timestampsign', '-binary'],
    )
    const shown = await tsa.run('cms', '-cmsout', '-print', '-in', 'token.der', '-inform', 'DER')
    expect(shown).toContain('id-smime-aa-signingCertificateV2')
    expect(shown).not.toContain('id-smime-aa-signingCertificate (')
    expect(shown).toMatch(/version: 3\n/)
  })

  it('satisfy our own verifier, which says what is in them', async () => {
    const hash = 'sha512'
    const digest = createHash(hash).update(DATA).digest()
    using stamping = tsa.open()
    const request = createTspRequest({ hash, digest, nonce: NONCE, certReq: true })
    writeFiles(tsa.folder, { 'own.tsq': request })
    expect(await tsa.run('ts', '-query', '-in', 'own.tsq', '-text')).toMatch(/Nonce: 0xFE0011/)
    const reply = await stamping.answer(request)
    const at = new Date()
    const expected = {
      hash,
      digest,
      nonce: NONCE,
      at,
      anchors: [tsa.root],
      toleranceMs: 1000,
    } as const
    const stamped = verifyTimeStamp(reply, expected)
    expect(stamped).toMatchObject({ policy: DEFAULT_POLICY, accuracyMs: 1000 })
    expect(stamped.tsa.thumbprint).toBe(tsa.certificate.thumbprint)
    expect(verifyTimeStamp(stamped.token, expected)).toEqual(stamped)
    expect(verifyTimeStamp(reply, { ...expected, anchors: [tsa.certificate] })).toEqual({
      ...stamped,
      path: [tsa.certificate],
    })
  })

  it('are refused by openssl and by us after one changed byte, wherever it is', async () => {
    const reply = await stamp('-sha256', '-cert')
    const digest = createHash('sha256').update(DATA).digest()
    const expected = { hash: 'sha256', digest, at: new Date(), anchors: [tsa.root] } as const
    const { token } = verifyTimeStamp(reply, expected)
    for (const altered of alterations(token, token.length)) {
      expect(() => verifyTimeStamp(altered, expected)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^timestamp\./) as string }),
      )
    }
    // openssl reads past versions and the signature algorithm: what it is asked about is content and signature.
    const content = reply.indexOf(oid(OID.tstInfo))
    const places = [content + 20, content + 60, content + 75, content + 100, reply.length - 20]
    for (const place of places) {
      const altered = Buffer.from(reply)
      altered[place]! ^= 0x04
      writeFiles(tsa.folder, { 'altered.tsr': altered })
      const files = ['request.tsq', 'altered.tsr', 'root.pem'].map((file) => join(tsa.folder, file))
      const [query, answered, ca] = files as [string, string, string]
      const answer = await openssl(
        'ts',
        '-verify',
        '-queryfile',
        query,
        '-in',
        answered,
        '-CAfile',
        ca,
      )
      expect(answer.exitCode, answer.output).toBe(1)
    }
  })
})
