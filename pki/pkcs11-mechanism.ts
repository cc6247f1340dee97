import { createHash, type KeyObject } from 'node:crypto'
import { integer, nullValue, octetString, oid, sequence } from './der-writer.ts'
import { OID } from './oids.ts'
import { CK, type Mechanism } from './pkcs11-module.ts'
import { KeyError, type SignatureScheme } from './signing-key.ts'

/** One signature as a token makes it: what goes in, and what its answer is to become. */
export interface TokenSignature {
  readonly mechanism: Mechanism
  readonly input: Buffer
  readonly maxBytes: number
  finish(raw: Buffer): Buffer
}

/** CKM_ and CKG_MGF1_ of each hash, for CK_RSA_PKCS_PSS_PARAMS. */
const HASHES = {
  sha256: { oid: OID.sha256, hashAlg: 0x250, mgf: 2, saltLen: 32 },
  sha384: { oid: OID.sha384, hashAlg: 0x260, mgf: 3, saltLen: 48 },
  sha512: { oid: OID.sha512, hashAlg: 0x270, mgf: 4, saltLen: 64 },
} as const

/**
 * Hashes here, so that the token gets some bytes and not a whole message.
 *
 * @throws KeyError for a scheme that does not fit the key.
 */
export function tokenSignature(
  publicKey: KeyObject,
  bytes: Uint8Array,
  scheme: SignatureScheme,
): TokenSignature {
  if (scheme.hash === null) throw new KeyError('keys in tokens sign with a hash')
  const digest = createHash(scheme.hash).update(bytes).digest()
  return publicKey.asymmetricKeyType === 'ec'
    ? ecdsa(publicKey, digest, scheme)
    : rsa(publicKey, digest, scheme.hash, scheme.padding)
}

function ecdsa(
  publicKey: KeyObject,
  digest: Buffer,
  { ecdsaForm }: SignatureScheme,
): TokenSignature {
  const size = publicKey.asymmetricKeyDetails?.namedCurve === 'secp384r1' ? 48 : 32
  return {
    mechanism: { mechanism: CK.CKM_ECDSA },
    // FIPS 186-5 §6.4.1: of a hash longer than the order its leftmost bits
    input: digest.subarray(0, size),
    maxBytes: 2 * size,
    finish: (raw) => {
      if (raw.length !== 2 * size)
        throw new KeyError('the token made a signature of a wrong length')
      if (ecdsaForm === 'jose') return raw
      return sequence(integer(raw.subarray(0, size)), integer(raw.subarray(size)))
    },
  }
}

function rsa(
  publicKey: KeyObject,
  digest: Buffer,
  hash: keyof typeof HASHES,
  padding: SignatureScheme['padding'],
): TokenSignature {
  const { hashAlg, mgf, saltLen } = HASHES[hash]
  const parameter = { type: CK.CK_PARAMS_RSA_PSS, hashAlg, mgf, saltLen }
  return {
    ...(padding === 'pss'
      ? { mechanism: { mechanism: CK.CKM_RSA_PKCS_PSS, parameter }, input: digest }
      : { mechanism: { mechanism: CK.CKM_RSA_PKCS }, input: digestInfo(HASHES[hash].oid, digest) }),
    maxBytes: Math.ceil((publicKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8),
    finish: (raw) => raw,
  }
}

/** RFC 8017 §9.2 step 2. */
function digestInfo(hash: string, digest: Buffer): Buffer {
  return sequence(sequence(oid(hash), nullValue()), octetString(digest))
}
