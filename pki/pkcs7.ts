import { CMSVersion, ContentInfo, EncapsulatedContentInfo } from '@peculiar/asn1-cms'
import { AsnProp, AsnPropTypes } from '@peculiar/asn1-schema'
import { decodeAsn, encodeAsn, sortedSet, toArrayBuffer } from './asn1.ts'
import { CertificateError, parseCertificate, type Certificate } from './certificate.ts'
import { DerError } from './der.ts'
import { OID } from './oids.ts'
import { recogniseDer } from './recognise.ts'

/**
 * SignedData with certificates as they stand: to read them with the library's own class and to write them again
 * may change a byte of what is signed.
 */
class CertificateBag {
  version: number = CMSVersion.v1
  digestAlgorithms: ArrayBuffer[] = []
  encapContentInfo = new EncapsulatedContentInfo({ eContentType: OID.data })
  certificates?: ArrayBuffer[]
  crls?: ArrayBuffer[]
  signerInfos: ArrayBuffer[] = []
}
const any = { type: AsnPropTypes.Any, repeated: 'set' } as const
AsnProp({ type: AsnPropTypes.Integer })(CertificateBag.prototype, 'version')
AsnProp(any)(CertificateBag.prototype, 'digestAlgorithms')
AsnProp({ type: EncapsulatedContentInfo })(CertificateBag.prototype, 'encapContentInfo')
const optional = { ...any, implicit: true, optional: true } as const
AsnProp({ ...optional, context: 0 })(CertificateBag.prototype, 'certificates')
AsnProp({ ...optional, context: 1 })(CertificateBag.prototype, 'crls')
AsnProp(any)(CertificateBag.prototype, 'signerInfos')

/**
 * Writes certificates as SignedData without signers (RFC 5652 §5.2), the certs-only message of EST (RFC 7030
 * §4.1.3). A set has no order: whoever reads it looks for the path himself.
 */
export function createCertsOnly(certificates: readonly Certificate[]): Buffer {
  const bag = new CertificateBag()
  bag.certificates = sortedSet(certificates.map(({ der }) => der))
  return encodeAsn(
    new ContentInfo({ contentType: OID.signedData, content: toArrayBuffer(encodeAsn(bag)) }),
  )
}

const MAX_CERTIFICATES = 64

/**
 * Reads the certificates of a certs-only message; nothing in them is verified.
 *
 * @throws CertificateError as parseCertificate does, and when the message has content, signers or no certificate.
 */
export function parseCertsOnly(der: Uint8Array): Certificate[] {
  try {
    return readBag(der).map((certificate) => parseCertificate(Buffer.from(certificate)))
  } catch (cause) {
    if (!(cause instanceof DerError)) throw cause
    const what = recogniseDer(der)
    const isOther = what !== undefined && what !== 'a bundle of certificates (PKCS#7)'
    const reason = isOther ? `it is ${what}` : cause.message
    const code = isOther ? 'certificate.malformed' : cause.code
    throw new CertificateError(`this is not a bundle of certificates: ${reason}`, { code, cause })
  }
}

function readBag(der: Uint8Array): ArrayBuffer[] {
  const { contentType, content } = decodeAsn(der, ContentInfo)
  if (contentType !== OID.signedData) throw new DerError(`its content is ${contentType}`)
  const bag = decodeAsn(new Uint8Array(content), CertificateBag)
  const { certificates = [], encapContentInfo, signerInfos } = bag
  if (encapContentInfo.eContent !== undefined || signerInfos.length > 0) {
    throw new DerError('it is a signed message and not only certificates')
  }
  if (certificates.length === 0 || certificates.length > MAX_CERTIFICATES) {
    throw new DerError(`it holds ${certificates.length} certificates`)
  }
  // The library reads NULL as null, whatever its types say.
  if (!certificates.every((certificate) => certificate instanceof ArrayBuffer)) {
    throw new DerError('it holds something else than certificates')
  }
  return certificates
}
