import type { KeyObject } from 'node:crypto'
import { ExchangeError } from '../protocol/errors.ts'
import { algorithmOf, signJws } from '../protocol/jws.ts'
import { manifestText } from '../protocol/manifest.ts'
import type { Certificate } from '../pki/certificate.ts'
import type { Signer } from './ports.ts'

export interface SigningKey {
  /** `INSTANCE/CLASS/MEMBER`. */
  readonly member: string
  readonly privateKey: KeyObject
  readonly certificate: Certificate
}

/** Signs with keys held in this process (protocol/README.md §5.2). */
export function createSigner(keys: readonly SigningKey[]): Signer {
  const byMember = new Map(keys.map((key) => [key.member, key]))
  return {
    canSign: (member, catalogue, at) => {
      const certificate = byMember.get(member)?.certificate
      if (certificate === undefined) return false
      const current = at >= certificate.notBefore && at <= certificate.notAfter
      return current && catalogue.signingCertificate(member, certificate.thumbprint) !== undefined
    },
    sign: (member, manifest, at) => {
      const key = byMember.get(member)
      if (key === undefined) {
        throw new ExchangeError(
          'client.not-served',
          `this gateway holds no signing key of ${member}`,
        )
      }
      const header = {
        alg: algorithmOf(key.privateKey),
        iat: Math.floor(at.getTime() / 1000),
        kid: member,
        'x5t#S256': key.certificate.thumbprint,
      }
      return signJws(header, manifestText(manifest), key.privateKey)
    },
  }
}
