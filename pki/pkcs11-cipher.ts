import { ConfigError } from '../runtime/config.ts'
import {
  CK,
  ckrOf,
  ignoringFaults,
  openModule,
  type Handle,
  type Mechanism,
  type Pkcs11Module,
} from './pkcs11-module.ts'
import { isLost } from './pkcs11-key.ts'
import { findSecretKey, openTokenSession } from './pkcs11-token.ts'
import { nameOfKey, type Pkcs11Uri } from './pkcs11-uri.ts'
import { KeyError } from './signing-key.ts'

/** An AES key in a token: AES-256-GCM (CKM_AES_GCM, PKCS#11 v2.40 §2.12.3), the tag of 16 bytes behind the text. */
export interface Pkcs11Cipher {
  /** @throws KeyError when the token is away or refuses. */
  encrypt(nonce: Buffer, aad: Buffer, plain: Buffer): Promise<Buffer>
  /** Undefined when the tag is wrong. @throws KeyError when the token is away or refuses. */
  decrypt(nonce: Buffer, aad: Buffer, sealed: Buffer): Promise<Buffer | undefined>
}

const TAG_BITS = 128
/** What a token says of a tag that is wrong; some have no word of their own for it. */
const WRONG_TAG = /^CKR_(ENCRYPTED_DATA_(INVALID|LEN_RANGE)|AEAD_DECRYPT_FAILED|GENERAL_ERROR)$/

/**
 * Opens an AES key in a PKCS#11 token. It is asked rarely, so each time has a session of its own; a token that
 * was away (unplugged, restarted) is found again.
 *
 * @throws ConfigError when token or key is missing or ambiguous, the PIN is refused, or the key does not encrypt.
 */
export async function openPkcs11Cipher(uri: Pkcs11Uri): Promise<Pkcs11Cipher> {
  const module = openModule(uri.modulePath)
  const once = <T>(use: (session: Handle, key: Handle) => T): T => {
    const session = openTokenSession(module.api, uri)
    try {
      return use(session, findSecretKey(module.api, session, uri))
    } finally {
      ignoringFaults(() => module.api.C_CloseSession(session))
    }
  }
  const cipher: Pkcs11Cipher = {
    encrypt: (nonce, aad, plain) =>
      attempts(module, uri, () =>
        once((session, key) => {
          module.api.C_EncryptInit(session, gcm(nonce, aad), key)
          return module.api.C_Encrypt(session, plain, Buffer.alloc(plain.length + TAG_BITS / 8))
        }),
      ),
    decrypt: (nonce, aad, sealed) =>
      attempts(module, uri, () =>
        once((session, key) => {
          module.api.C_DecryptInit(session, gcm(nonce, aad), key)
          try {
            return module.api.C_Decrypt(session, sealed, Buffer.alloc(sealed.length))
          } catch (error) {
            if (WRONG_TAG.test(ckrOf(error) ?? '')) return undefined
            throw error
          }
        }),
      ),
  }
  try {
    await checkKey(cipher, uri)
  } catch (cause) {
    if (cause instanceof KeyError) throw new ConfigError(cause.message, { cause })
    throw cause
  }
  return cipher
}

/** A key that may not encrypt and decrypt is found at the start, not with the first record. */
async function checkKey(cipher: Pkcs11Cipher, uri: Pkcs11Uri): Promise<void> {
  const [nonce, aad, plain] = [Buffer.alloc(12), Buffer.from('Spean'), Buffer.alloc(32, 1)]
  const again = await cipher.decrypt(nonce, aad, await cipher.encrypt(nonce, aad, plain))
  if (again?.equals(plain)) return
  throw new KeyError(`${nameOfKey(uri)}: does not decrypt what it encrypted`)
}

function gcm(iv: Buffer, aad: Buffer): Mechanism {
  const parameter = { type: CK.CK_PARAMS_AES_GCM_V240, iv, aad, ivBits: 96, tagBits: TAG_BITS }
  return { mechanism: CK.CKM_AES_GCM, parameter }
}

/** Once more with the library begun anew, which is how some find a token again. */
async function attempts<T>(module: Pkcs11Module, uri: Pkcs11Uri, attempt: () => T): Promise<T> {
  try {
    while (module.restarting !== undefined) await module.restarting
    try {
      return attempt()
    } catch (error) {
      if (!isLost(error)) throw error
      await module.restart(module.generation)
      return attempt()
    }
  } catch (cause) {
    const ckr = ckrOf(cause)
    if (ckr !== undefined) {
      throw new KeyError(`${nameOfKey(uri)}: cannot encrypt or decrypt (${ckr})`, { cause })
    }
    // The file of the PIN is read at each login, and may be gone.
    if (cause instanceof ConfigError) throw new KeyError(cause.message, { cause })
    throw cause
  }
}
