import { CMSVersion, ContentInfo, EncapsulatedContentInfo } from '@peculiar/asn1-cms'
import { AsnProp, AsnPropTypes } from '@peculiar/asn1-schema'
import { encodeAsn, sortedSet, toArrayBuffer } from './asn1.ts'
import { CertificateError, parseCertificate, type Certificate } from './certificate.ts'
import {
  contextTag,
  DerError,
  fieldsOf,
  itemsOf,
  onlyChild,
  parseDer,
  TAG,
  type DerNode,
} from './der.ts'
import { readOid, readSmallInteger } from './der-values.ts'
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
  certificates: ArrayBuffer[] = []
  signerInfos: ArrayBuffer[] = []
}
const setOfAny = { type: AsnPropTypes.Any, repeated: 'set' } as const
AsnProp({ type: AsnPropTypes.Integer })(CertificateBag.prototype, 'version')
AsnProp(setOfAny)(CertificateBag.prototype, 'digestAlgorithms')
AsnProp({ type: EncapsulatedContentInfo })(CertificateBag.prototype, 'encapContentInfo')
AsnProp({ ...setOfAny, implicit: true, context: 0 })(CertificateBag.prototype, 'certificates')
AsnProp(setOfAny)(CertificateBag.prototype, 'signerInfos')

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
const [CONTEXT_0, CONTEXT_1] = [contextTag(0, 'constructed'), contextTag(1, 'constructed')]

/**
 * Reads the certificates of a certs-only message; nothing in them is verified.
 *
 * @throws CertificateError as parseCertificate does, and when the message has content, signers or no certificate.
 */
export function parseCertsOnly(der: Uint8Array): Certificate[] {
  try {
    return readBag(der).map(({ encoded }) => parseCertificate(encoded))
  } catch (cause) {
    if (!(cause instanceof DerError)) throw cause
    const what = recogniseDer(der)
    const isOther = what !== undefined && what !== 'a bundle of certificates (PKCS#7)'
    const reason = isOther ? `it is ${what}` : cause.message
    const code = isOther ? 'certificate.malformed' : cause.code
    throw new CertificateError(`this is not a bundle of certificates: ${reason}`, { code, cause })
  }
}

/** By our own reader: the library takes a second for a bundle of the size allowed here. */
function readBag(der: Uint8Array): readonly DerNode[] {
  const info = fieldsOf(parseDer(der))
  if (readOid(info.next()) !== OID.signedData) throw new DerError('its content is not signed data')
  const bag = fieldsOf(onlyChild(info.next(CONTEXT_0)))
  info.end()
  readSmallInteger(bag.next())
  itemsOf(bag.next(), TAG.set) // digest algorithms
  const content = fieldsOf(bag.next())
  readOid(content.next())
  const certificates = bag.optional(CONTEXT_0)?.children ?? []
  bag.optional(CONTEXT_1) // revocation lists
  const signers = itemsOf(bag.next(), TAG.set)
  bag.end()
  if (content.optional(CONTEXT_0) !== undefined || signers.length > 0) {
    throw new DerError('it is a signed message and not only certificates')
  }
  content.end()
  if (certificates.length === 0 || certificates.length > MAX_CERTIFICATES) {
    throw new DerError(`it holds ${certificates.length} certificates`)
  }
  return certificates
}
