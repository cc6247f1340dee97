import { AsnProp, AsnPropTypes } from '@peculiar/asn1-schema'
import { AlgorithmIdentifier } from '@peculiar/asn1-x509'
import { encodeAsn, toArrayBuffer } from './asn1.ts'
import { algorithmIdentifier, signBytes } from './signature-algorithms.ts'
import type { SigningKey } from './signing-key.ts'

/** SIGNED of X.509 §6.1, as certificates, requests, revocation lists and OCSP answers are. */
class SignedStructure {
  toBeSigned = new ArrayBuffer(0)
  algorithm = new AlgorithmIdentifier()
  signature = new ArrayBuffer(0)
  /** Certificates of the signer, in OCSP answers (RFC 6960 §4.2.1). */
  certificates?: ArrayBuffer[]
}
AsnProp({ type: AsnPropTypes.Any })(SignedStructure.prototype, 'toBeSigned')
AsnProp({ type: AlgorithmIdentifier })(SignedStructure.prototype, 'algorithm')
AsnProp({ type: AsnPropTypes.BitString })(SignedStructure.prototype, 'signature')
AsnProp({ type: AsnPropTypes.Any, repeated: 'sequence', context: 0, optional: true })(
  SignedStructure.prototype,
  'certificates',
)

/** Signs DER and wraps it; certificates stand in it byte by byte. @throws KeyError */
export async function signAsn(
  toBeSigned: Uint8Array,
  key: SigningKey,
  certificates?: readonly Uint8Array[],
): Promise<Buffer> {
  const signed = new SignedStructure()
  signed.toBeSigned = toArrayBuffer(toBeSigned)
  signed.algorithm = algorithmIdentifier(key)
  signed.signature = toArrayBuffer(await signBytes(toBeSigned, key))
  if (certificates !== undefined) signed.certificates = certificates.map(toArrayBuffer)
  return encodeAsn(signed)
}
