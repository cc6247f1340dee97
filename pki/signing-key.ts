import { constants, createPublicKey, sign, type KeyObject } from 'node:crypto'
import { ecdsaDerToRaw } from '../protocol/jws.ts'

/** How a signature is made: the hash, and what the algorithm leaves open. */
export interface SignatureScheme {
  /** Null for Ed25519, which hashes by itself (RFC 8410). */
  readonly hash: 'sha256' | 'sha384' | 'sha512' | null
  /** RSASSA-PSS with a salt as long as the hash (RFC 8017 §8.1); without it PKCS #1 v1.5. */
  readonly padding?: 'pss'
  /** Form of an ECDSA signature: DER (RFC 3279 §2.2.3), or r ‖ s for JWS (RFC 7518 §3.4). Default DER. */
  readonly ecdsaForm?: 'der' | 'jose'
}

/**
 * A private key that signs, wherever it is kept: in a file, or in a token that never gives it away. All that
 * signs here, authority and gateway, holds keys by this interface.
 */
export interface SigningKey {
  readonly publicKey: KeyObject
  /**
   * @param bytes what is signed, not its digest.
   * @throws KeyError when the key cannot be used now.
   */
  sign(bytes: Uint8Array, scheme: SignatureScheme): Promise<Buffer>
}

/** A key could not sign: its token is gone or refuses. The message names the key, not its secret. */
export class KeyError extends Error {
  override readonly name = 'KeyError'
}

/** A key held in this process. */
export function memorySigningKey(privateKey: KeyObject): SigningKey {
  const { namedCurve } = privateKey.asymmetricKeyDetails ?? {}
  const partBytes = namedCurve === 'secp384r1' ? 48 : 32
  return {
    publicKey: createPublicKey(privateKey),
    // On this thread: an ECDSA signature takes less time than the way to another one.
    sign: (bytes, { hash, padding, ecdsaForm = 'der' }) => {
      if (padding === 'pss') {
        const pss = { padding: RSA_PKCS1_PSS_PADDING, saltLength: SALT_IS_HASH }
        return Promise.resolve(sign(hash, bytes, { key: privateKey, ...pss }))
      }
      // The bare key and DER are twice as fast as asking OpenSSL for the other form.
      const signature = sign(hash, bytes, privateKey)
      const raw = ecdsaForm === 'jose' && privateKey.asymmetricKeyType === 'ec'
      return Promise.resolve(raw ? ecdsaDerToRaw(signature, partBytes) : signature)
    },
  }
}

const { RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_DIGEST: SALT_IS_HASH } = constants
