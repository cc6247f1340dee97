import type { KeyObject } from 'node:crypto'
import type { KeyKind } from '../../pki/keys.ts'

/** The kind of key to make in place of one; P-256 for a kind that is not made here, such as Ed25519. */
export function kindOfKey({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): KeyKind {
  const { namedCurve, modulusLength = 0 } = asymmetricKeyDetails
  if (asymmetricKeyType === 'rsa') {
    if (modulusLength <= 2048) return 'RSA-2048'
    return modulusLength <= 3072 ? 'RSA-3072' : 'RSA-4096'
  }
  return namedCurve === 'secp384r1' ? 'P-384' : 'P-256'
}
