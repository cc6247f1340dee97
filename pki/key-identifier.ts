import { createHash, type KeyObject } from 'node:crypto'
import { readPublicKey } from './certificate.ts'
import { parseDer } from './der.ts'
import { exportSpki } from './keys.ts'

/** RFC 5280 §4.2.1.2 (1): SHA-1 over the key bits, an identifier and no protection of anything. */
export function keyIdentifier(publicKey: KeyObject): Buffer {
  const { publicKeyBits } = readPublicKey(parseDer(exportSpki(publicKey)))
  return createHash('sha1').update(publicKeyBits).digest()
}
