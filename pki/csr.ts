import type { KeyObject } from 'node:crypto'
import { CertificateError, readPublicKey } from './certificate.ts'
import { contextTag, DerError, fieldsOf, itemsOf, parseDer, TAG, type DerNode } from './der.ts'
import { bitString, integer, octetString, oid, sequence, setOf, tagged } from './der-writer.ts'
import { readOid, readSmallInteger } from './der-values.ts'
import { formatName } from './distinguished-name.ts'
import { readExtensionList } from './extensions.ts'
import { readIdentity, subjectOf, type CertificateIdentity } from './identity.ts'
import { exportSpki } from './keys.ts'
import { OID } from './oids.ts'
import { readPem, toPem } from './pem.ts'
import { algorithmFor, readSigned, signatureFault, signBytes } from './signature-algorithms.ts'
import type { SigningKey } from './signing-key.ts'
import { encodeAltNames, readAltNames } from './subject-alt-name.ts'

/** A PKCS#10 request (RFC 2986) whose sender has proved to hold the private key. */
export interface CertificateRequest {
  /** Text of RFC 4514. */
  readonly subject: string
  /** Undefined when the subject does not follow our profile. */
  readonly identity: CertificateIdentity | undefined
  readonly publicKey: KeyObject
  /** DNS names and IP addresses that are asked for. */
  readonly subjectAltNames: readonly string[]
}

/**
 * Writes a request for an identity, signed with its key.
 *
 * @param request.subjectAltNames DNS names and IP addresses, see isAltName.
 */
export async function createCsr(request: {
  readonly identity: CertificateIdentity
  readonly key: SigningKey
  readonly subjectAltNames?: readonly string[]
}): Promise<{ der: Buffer; pem: string }> {
  const { key, subjectAltNames = [] } = request
  const info = sequence(
    integer(0),
    subjectOf(request.identity),
    exportSpki(key.publicKey),
    tagged(0, ...(subjectAltNames.length === 0 ? [] : [extensionRequest(subjectAltNames)])),
  )
  const signature = bitString(await signBytes(info, key))
  const der = sequence(info, algorithmFor(key), signature)
  return { der, pem: toPem('CERTIFICATE REQUEST', der) }
}

/** RFC 2985 §5.4.2 */
function extensionRequest(names: readonly string[]): Buffer {
  const altNames = sequence(oid(OID.subjectAltName), octetString(encodeAltNames(names)))
  return sequence(oid(OID.extensionRequest), setOf(sequence(altNames)))
}

/**
 * Reads a request from PEM or DER and verifies its signature: the proof that the sender holds the
 * key. Whether the key is strong enough is included, whether the names are the sender's is not.
 *
 * @throws CertificateError
 */
export function parseCsr(input: string | Uint8Array): CertificateRequest {
  const der = typeof input === 'string' ? fromPem(input) : Buffer.from(input)
  try {
    return readCsr(parseDer(der))
  } catch (cause) {
    if (!(cause instanceof DerError)) throw cause
    const { code, message } = cause
    throw new CertificateError(`this is not a certificate request: ${message}`, { code, cause })
  }
}

function fromPem(text: string): Buffer {
  // Older tools write NEW CERTIFICATE REQUEST (RFC 7468 §7).
  const blocks = readPem('CERTIFICATE REQUEST', text.replaceAll('NEW CERTIFICATE', 'CERTIFICATE'))
  if (blocks.length !== 1) {
    throw new CertificateError(`the text holds ${blocks.length} requests instead of one`)
  }
  return blocks[0]!
}

function readCsr(node: DerNode): CertificateRequest {
  const { toBeSigned, ...signedBytes } = readSigned(node)
  const fields = fieldsOf(toBeSigned)
  if (readSmallInteger(fields.next(TAG.integer)) !== 0) throw new DerError('the version is not 1')
  const subject = fields.next(TAG.sequence)
  const { publicKey } = readPublicKey(fields.next(TAG.sequence))
  const attributes = fields.optional(contextTag(0, 'constructed'))
  fields.end()
  const fault = signatureFault(signedBytes, publicKey)
  if (fault !== undefined) throw new CertificateError(`the request is not accepted: ${fault}`)
  return {
    subject: formatName(subject),
    identity: readIdentity(subject.encoded),
    publicKey,
    subjectAltNames: attributes === undefined ? [] : readRequestedNames(attributes),
  }
}

function readRequestedNames(attributes: DerNode): string[] {
  return attributes.children.flatMap((attribute) => {
    const fields = fieldsOf(attribute)
    const id = readOid(fields.next(TAG.oid))
    const values = itemsOf(fields.next(TAG.set), TAG.set)
    fields.end()
    if (id !== OID.extensionRequest) return []
    return values.flatMap((value) => {
      const names = readExtensionList(value).get(OID.subjectAltName)
      return names === undefined ? [] : readAltNames(parseDer(names.value))
    })
  })
}
