import type { KeyObject } from 'node:crypto'
import { ExchangeError } from '../protocol/errors.ts'
import { algorithmOf, signJws } from '../protocol/jws.ts'
import { manifestText } from '../protocol/manifest.ts'
import type { Certificate } from '../pki/certificate.ts'
import type { CatalogueView } from './catalogue-view.ts'
import { lackOf, unsuitable, type OwnKnowledge } from './own-lacks.ts'
import type { Signer } from './ports.ts'

export interface SigningKey {
  /** `INSTANCE/CLASS/MEMBER`. */
  readonly member: string
  readonly privateKey: KeyObject
  readonly certificate: Certificate
}

/** Signs with keys held in this process (protocol/README.md §5.2). A member may have several. */
export function createSigner(keys: readonly SigningKey[], known: OwnKnowledge): Signer {
  const byMember = Map.groupBy(keys, ({ member }) => member)

  const suitableKey = (member: string, catalogue: CatalogueView, at: Date): SigningKey => {
    const held = byMember.get(member)
    if (held === undefined) {
      const detail = `gateway ${known.gateway} holds no signing key of ${member}`
      throw new ExchangeError('client.not-served', detail)
    }
    const lacks = []
    for (const key of held) {
      const { thumbprint } = key.certificate
      const isListed = catalogue.signingCertificate(member, thumbprint) !== undefined
      const lack = lackOf(key.certificate, isListed, at, known)
      if (lack === undefined) return key
      lacks.push(lack)
    }
    throw unsuitable(lacks, { owner: member, use: 'signing' }, known)
  }

  return {
    isSignerOf: (member) => byMember.has(member),
    verifyCanSign: (member, catalogue, at) => void suitableKey(member, catalogue, at),
    sign: (member, manifest, catalogue, at) => {
      const key = suitableKey(member, catalogue, at)
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
