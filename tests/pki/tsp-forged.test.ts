/** Tokens that are signed with the right key, and should not have been. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSignedData, type SignerAttribute } from '../../pki/cms-signed-data.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { parseDer } from '../../pki/der.ts'
import { oid, sequence, tagged } from '../../pki/der-writer.ts'
import { encodeSigningCertificateV2 } from '../../pki/ess-cert-id.ts'
import { OID } from '../../pki/oids.ts'
import { createTspRequest, parseTspRequest } from '../../pki/tsp-request.ts'
import { verifyTimeStamp } from '../../pki/tsp-verify.ts'
import { encodeTstInfo } from '../../pki/tst-info.ts'
import { createTsa, type TestTsa } from './tsp-support.ts'

const DIGEST = createHash('sha256').update('data').digest()
const { imprint } = parseTspRequest(
  createTspRequest({ hash: 'sha256', digest: DIGEST, certReq: true }),
)

let tsa: TestTsa
let at: Date
beforeAll(async () => {
  tsa = await createTsa()
  at = new Date()
})
afterAll(() => tsa[Symbol.dispose]())

const named = (certificate: Certificate): SignerAttribute => ({
  type: OID.signingCertificateV2,
  value: encodeSigningCertificateV2(certificate, 'sha256'),
})
const infoOf = (genTime: Date): Buffer =>
  encodeTstInfo({
    ...{ policy: '1.2.3.4', imprint: imprint.encoded, serial: Buffer.of(1), genTime },
    ...{ accuracyMs: 1000, nonce: undefined },
  })
/** TSTInfo has the name of the authority at its end (RFC 3161 §2.4.2). */
const withName = (name: Buffer): Buffer =>
  sequence(
    ...parseDer(infoOf(at)).children.map(({ encoded }) => encoded),
    tagged(0, tagged(4, name)),
  )

const token = (changes: Partial<Parameters<typeof createSignedData>[0]> = {}): Promise<Buffer> =>
  createSignedData({
    type: OID.tstInfo,
    bytes: infoOf(at),
    key: tsa.key,
    certificate: tsa.certificate,
    attributes: [named(tsa.certificate)],
    certificates: [tsa.certificate],
    ...changes,
  })
const verify = (der: Buffer, changes: Partial<Parameters<typeof verifyTimeStamp>[1]> = {}) =>
  verifyTimeStamp(der, {
    ...({ hash: 'sha256', digest: DIGEST, anchors: [tsa.root], at } as const),
    ...changes,
  })
const coded = (code: string) => expect.objectContaining({ code }) as Error

describe('a token', () => {
  it('as it should be is accepted, with the name of its authority too', async () => {
    expect(verify(await token()).policy).toBe('1.2.3.4')
    const bytes = withName(tsa.certificate.subjectDer)
    expect(verify(await token({ bytes })).policy).toBe('1.2.3.4')
  })

  it.each<[string, () => Parameters<typeof token>[0]]>([
    ['that names no signing certificate', () => ({ attributes: [] })],
    ['that names another one', () => ({ attributes: [named(tsa.root)] })],
    [
      'of a time before its certificate',
      () => ({ bytes: infoOf(new Date(tsa.certificate.notBefore.getTime() - 1000)) }),
    ],
    ['with the name of another authority', () => ({ bytes: withName(tsa.root.subjectDer) })],
    ['that holds something else', () => ({ type: OID.data })],
  ])('%s is refused', async (_, changes) => {
    const der = await token(changes())
    expect(() => verify(der)).toThrow(coded('timestamp.invalid'))
  })

  it('whose type was changed after it was signed is refused', async () => {
    const other = '1.2.840.113549.1.9.16.1.5'
    const der = await token({ type: other })
    const place = der.indexOf(oid(other))
    oid(OID.tstInfo).copy(der, place)
    expect(() => verify(der)).toThrow(coded('timestamp.invalid'))
  })

  it('is refused after the end of a certificate that is approved itself', async () => {
    const der = await token()
    expect(verify(der, { anchors: [tsa.certificate] }).tsa.serial).toBe(tsa.certificate.serial)
    const late = { anchors: [tsa.certificate], at: new Date('2060-01-01') }
    expect(() => verify(der, late)).toThrow(coded('timestamp.untrusted'))
  })
})
