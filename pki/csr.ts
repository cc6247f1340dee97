import type { KeyObject } from 'node:crypto'
import { Attributes, CertificationRequest, CertificationRequestInfo } from '@peculiar/asn1-csr'
import { Attribute, Extensions, Name, SubjectPublicKeyInfo } from '@peculiar/asn1-x509'
import { decodeAsn, encodeAsn, extension, toArrayBuffer } from './asn1.ts'
import { CertificateError, readPublicKey } from './certificate.ts'
import { DerError, parseDer } from './der.ts'
import { formatName } from './distinguished-name.ts'
import { readExtensionList } from './extensions.ts'
import { readIdentity, subjectOf, type CertificateIdentity } from './identity.ts'
import { exportSpki } from './keys.ts'
import { OID } from './oids.ts'
import { readPem, toPem } from './pem.ts'
import { pemFault, recogniseDer } from './recognise.ts'
import { readSigned, signatureFault } from './signature-algorithms.ts'
import { signAsn } from './signed-structure.ts'
import type { SigningKey } from './signing-key.ts'
import { encodeAltNames, isAltNameKind, readAltNames } from './subject-alt-name.ts'
import { subjectKeyFault } from './subject-key.ts'

/** A PKCS#10 request (RFC 2986) whose sender has proved to hold the private key. */
export interface CertificateRequest {
  /** Text of RFC 4514. */
  readonly subject: string
  readonly subjectDer: Buffer
  /** Undefined when the subject does not follow our profile. */
  readonly identity: CertificateIdentity | undefined
  readonly publicKey: KeyObject
  /** DNS names and IP addresses that are asked for. */
  readonly subjectAltNames: readonly string[]
}

/**
 * Writes a request for an identity, signed with its key.
 *
 * @param request.subject DER of the Name, for an authority that writes identities in its own way, see subjectBy;
 * absent: as our own authority does.
 * @param request.subjectAltNames DNS names and IP addresses, see isAltName.
 */
export async function createCsr(request: {
  readonly identity: CertificateIdentity
  readonly subject?: Buffer
  readonly key: SigningKey
  readonly subjectAltNames?: readonly string[]
}): Promise<{ der: Buffer; pem: string }> {
  const { key, subjectAltNames = [] } = request
  const info = new CertificationRequestInfo({
    subject: decodeAsn(request.subject ?? subjectOf(request.identity), Name),
    subjectPKInfo: decodeAsn(exportSpki(key.publicKey), SubjectPublicKeyInfo),
    attributes: new Attributes(
      subjectAltNames.length === 0 ? [] : [extensionRequest(subjectAltNames)],
    ),
  })
  const der = await signAsn(encodeAsn(info), key)
  return { der, pem: toPem('CERTIFICATE REQUEST', der) }
}

/** RFC 2985 §5.4.2 */
function extensionRequest(names: readonly string[]): Attribute {
  const extensions = new Extensions([extension(OID.subjectAltName, encodeAltNames(names))])
  return new Attribute({
    type: OID.extensionRequest,
    values: [toArrayBuffer(encodeAsn(extensions))],
  })
}

/**
 * Reads a request from PEM or DER and verifies its signature: the proof that the sender holds the
 * key. Whether the key may be certified is included, whether the names are the sender's is not.
 *
 * @throws CertificateError `encoding.*` for bytes that are no request, `enrolment.key-refused`,
 * `enrolment.proof-invalid`, and `enrolment.extension-refused` for anything but DNS names and IP addresses.
 */
export function parseCsr(input: string | Uint8Array): CertificateRequest {
  const der = typeof input === 'string' ? fromPem(input) : Buffer.from(input)
  try {
    return readCsr(der)
  } catch (cause) {
    if (!(cause instanceof DerError)) throw cause
    const { code, message } = cause
    const what = recogniseDer(der)
    const isOther = what !== undefined && what !== 'a certificate request (PKCS#10)'
    const reason = isOther ? `it is ${what}` : message
    throw new CertificateError(`this is not a certificate request: ${reason}`, { code, cause })
  }
}

function fromPem(text: string): Buffer {
  // Older tools write NEW CERTIFICATE REQUEST (RFC 7468 §7).
  const blocks = readPem('CERTIFICATE REQUEST', text.replaceAll('NEW CERTIFICATE', 'CERTIFICATE'))
  if (blocks.length !== 1) {
    const code = 'encoding.malformed'
    throw new CertificateError(pemFault('CERTIFICATE REQUEST', text), { code })
  }
  return blocks[0]!
}

function readCsr(der: Buffer): CertificateRequest {
  const { certificationRequestInfo: info } = decodeAsn(der, CertificationRequest)
  if (info.version !== 0) throw new DerError('the version is not 1') // RFC 2986 §4.1
  const publicKey = readSubjectKey(info.subjectPKInfo)
  const attributes = readAttributes(info.attributes)
  verifyProof(der, publicKey)
  const subjectDer = encodeAsn(info.subject)
  return {
    subject: formatName(parseDer(subjectDer)),
    subjectDer,
    identity: readIdentity(subjectDer),
    publicKey,
    ...attributes,
  }
}

function readSubjectKey(spki: SubjectPublicKeyInfo): KeyObject {
  let key: KeyObject
  try {
    key = readPublicKey(parseDer(encodeAsn(spki))).publicKey
  } catch (cause) {
    // The structure was read already: what is left is a type, a curve or a point that OpenSSL refuses.
    if (cause instanceof DerError) refuseKey(cause.message)
    throw cause
  }
  const fault = subjectKeyFault(key)
  return fault === undefined ? key : refuseKey(fault)
}

function refuseKey(reason: string): never {
  const code = 'enrolment.key-refused'
  throw new CertificateError(`the key of the request is not accepted: ${reason}`, { code })
}

function verifyProof(der: Buffer, publicKey: KeyObject): void {
  const fault = signatureFault(readSigned(parseDer(der)), publicKey)
  if (fault === undefined) return
  const code = 'enrolment.proof-invalid'
  throw new CertificateError(`the request does not prove that its key is held: ${fault}`, { code })
}

/** Other attributes ask for nothing and are passed over, challengePassword too: codes come another way. */
function readAttributes(attributes: Attributes): Pick<CertificateRequest, 'subjectAltNames'> {
  const requested = onlyValue(attributes, OID.extensionRequest)
  return { subjectAltNames: requested === undefined ? [] : readRequestedNames(requested) }
}

/** The attribute is SINGLE VALUE (RFC 2985 §5.4.2). */
function onlyValue(attributes: Attributes, type: string): Buffer | undefined {
  const values = attributes.filter((attribute) => attribute.type === type)
  if (values.length === 0) return undefined
  const [value, ...more] = values.flatMap((attribute) => attribute.values)
  // The library reads NULL as null, whatever its types say.
  if (!(value instanceof ArrayBuffer) || more.length > 0) {
    throw new DerError(`the attribute ${type} has not exactly one value`)
  }
  return Buffer.from(value)
}

function readRequestedNames(extensions: Buffer): string[] {
  const { [OID.subjectAltName]: names, ...others } = Object.fromEntries(
    readExtensionList(parseDer(extensions)),
  )
  const [other] = Object.keys(others)
  if (other !== undefined) refuseExtension(`it asks for the extension ${other}`)
  if (names === undefined) return []
  const node = parseDer(names.value)
  if (!node.children.every(isAltNameKind)) {
    refuseExtension('it asks for a name that is neither a DNS name nor an IP address')
  }
  return readAltNames(node)
}

function refuseExtension(reason: string): never {
  const code = 'enrolment.extension-refused'
  throw new CertificateError(`the request is not accepted: ${reason}`, { code })
}
