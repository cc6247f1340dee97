import { ExchangeError } from '../protocol/errors.ts'
import { algorithmOf, joinJws, jwsSigningInput, type SignatureAlgorithm } from '../protocol/jws.ts'
import { manifestText } from '../protocol/manifest.ts'
import type { SignatureScheme } from '../pki/signing-key.ts'
import type { Credentials } from './credentials/credentials.ts'
import type { Signer } from './ports.ts'

const SCHEMES: Readonly<Record<SignatureAlgorithm, SignatureScheme>> = {
  ES256: { hash: 'sha256', ecdsaForm: 'jose' },
  PS256: { hash: 'sha256', padding: 'pss' },
  RS256: { hash: 'sha256' },
  EdDSA: { hash: null },
}

/** Signs with the credentials that are in force (protocol/README.md §5.2). */
export function createSigner(credentials: Pick<Credentials, 'holdsKeyOf' | 'signing'>): Signer {
  return {
    holdsKeyOf: (member) => credentials.holdsKeyOf(member),
    verifySuitable: (member, catalogue, at) => void credentials.signing(member, catalogue, at),
    sign: async (member, manifest, catalogue, at) => {
      if (!credentials.holdsKeyOf(member)) {
        throw new ExchangeError(
          'client.not-served',
          `this gateway holds no signing key of ${member}`,
        )
      }
      const { key, certificate } = credentials.signing(member, catalogue, at)
      const header = {
        alg: algorithmOf(key.publicKey),
        iat: Math.floor(at.getTime() / 1000),
        kid: member,
        'x5t#S256': certificate.thumbprint,
      }
      const input = jwsSigningInput(header, manifestText(manifest))
      return joinJws(input, await key.sign(Buffer.from(input, 'ascii'), SCHEMES[header.alg]))
    },
  }
}
