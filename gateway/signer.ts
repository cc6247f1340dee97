import type { KeyObject } from 'node:crypto'
import { ExchangeError } from '../protocol/errors.ts'
import { algorithmOf, signJws } from '../protocol/jws.ts'
import { manifestText } from '../protocol/manifest.ts'
import type { Certificate } from '../pki/certificate.ts'
import type { CatalogueView } from './catalogue-view.ts'
import { lackOf, unsuitable, type Lack, type OwnKnowledge } from './own-lacks.ts'
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

  const keysOf = (member: string): [SigningKey, ...SigningKey[]] => {
    const [first, ...others] = byMember.get(member) ?? []
    if (first) return [first, ...others]
    const detail = `gateway ${known.gateway} holds no signing key of ${member}`
    throw new ExchangeError('client.not-served', detail)
  }
  const lackOfKey = (key: SigningKey, catalogue: CatalogueView, at: Date): Lack | undefined => {
    const { member, certificate } = key
    const listed = catalogue.signingCertificate(member, certificate.thumbprint)
    return lackOf(certificate, listed !== undefined, at, known)
  }

  return {
    isSignerOf: (member) => byMember.has(member),
    verifyCanSign: (member, catalogue, at) => {
      const lacks = keysOf(member).map((key) => lackOfKey(key, catalogue, at))
      if (lacks.includes(undefined)) return
      const found = lacks.filter((lack) => lack !== undefined)
      throw unsuitable(found, { owner: member, use: 'signing' }, known)
    },
    sign: (member, manifest, catalogue, at) => {
      const keys = keysOf(member)
      const key = keys.find((held) => lackOfKey(held, catalogue, at) === undefined) ?? keys[0]
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
