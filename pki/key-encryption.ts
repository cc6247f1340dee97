import { createCipheriv, randomBytes, scryptSync, type KeyObject } from 'node:crypto'
import { integer, octetString, oid, sequence } from './der-writer.ts'
import { OID } from './oids.ts'
import { toPem } from './pem.ts'

/**
 * 16 MiB and about 150 ms for each guess. `KeyObject.export` would write PBKDF2 with 2048 rounds, which is
 * half a millisecond; and OpenSSL, which reads this back, allows scrypt no more than 32 MiB.
 */
const SCRYPT = { N: 2 ** 14, r: 8, p: 5 }
const SALT_BYTES = 16
const KEY_BYTES = 32
const IV_BYTES = 16

/**
 * A private key as EncryptedPrivateKeyInfo (RFC 5958 §3) in PEM: AES-256-CBC by PBES2 (RFC 8018 §6.2), its key
 * from the passphrase by scrypt (RFC 7914 §7). `openssl pkey` and `createPrivateKey` read it.
 */
export function encryptPrivateKey(privateKey: KeyObject, passphrase: string): string {
  const salt = randomBytes(SALT_BYTES)
  const iv = randomBytes(IV_BYTES)
  const { N, r, p } = SCRYPT
  const cipher = createCipheriv('aes-256-cbc', scryptSync(passphrase, salt, KEY_BYTES, SCRYPT), iv)
  const plain = privateKey.export({ type: 'pkcs8', format: 'der' })
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()])
  plain.fill(0)
  const derivation = sequence(
    oid(OID.scrypt),
    sequence(octetString(salt), integer(N), integer(r), integer(p)),
  )
  const encryption = sequence(oid(OID.aes256Cbc), octetString(iv))
  const algorithm = sequence(oid(OID.pbes2), sequence(derivation, encryption))
  return toPem('ENCRYPTED PRIVATE KEY', sequence(algorithm, octetString(encrypted)))
}
