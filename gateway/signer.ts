import { ExchangeError } from '../protocol/errors.ts'
import { algorithmOf, joinJws, jwsSigningInput, type SignatureAlgorithm } from '../protocol/jws.ts'
import { manifestText } from '../protocol/manifest.ts'
import type { Certificate } from '../pki/certificate.ts'
import type { SignatureScheme } from '../pki/signing-key.ts'
import type { CatalogueView } from './catalogue-view.ts'
import type { Credential } from './credentials/credential.ts'
import type { Credentials } from './credentials/credentials.ts'
import type { Signer } from './ports.ts'

/** How each algorithm of the profile signs. */
export const SCHEMES: Readonly<Record<SignatureAlgorithm, SignatureScheme>> = {
  ES256: { hash: 'sha256', ecdsaForm: 'jose' },
  PS256: { hash: 'sha256', padding: 'pss' },
  RS256: { hash: 'sha256' },
  EdDSA: { hash: null },
}

/**
 * Signs with the credentials that are in force (protocol/README.md §5.2).
 *
 * @param onSigned told of the certificate of each signature.
 */
export function createSigner(
  credentials: Pick<Credentials, 'signing' | 'newestSigning'>,
  onSigned?: (certificate: Certificate) => void,
): Signer {
  const anyOf = (member: string): Credential => {
    const newest = credentials.newestSigning(member)
    if (newest !== undefined) return newest
    const detail = `this gateway holds no signing key of ${member}`
    throw new ExchangeError('client.not-served', detail)
  }
  const bestOf = (member: string, catalogue: CatalogueView, at: Date): Credential => {
    const newest = anyOf(member)
    try {
      return credentials.signing(member, catalogue, at)
    } catch (error) {
      if (error instanceof ExchangeError) return newest
      throw error
    }
  }
  return {
    isSignerOf: (member) => credentials.newestSigning(member) !== undefined,
    verifyCanSign: (member, catalogue, at) => {
      anyOf(member)
      credentials.signing(member, catalogue, at)
    },
    sign: async (member, manifest, catalogue, at) => {
      const { key, certificate } = bestOf(member, catalogue, at)
      const header = {
        alg: algorithmOf(key.publicKey),
        iat: Math.floor(at.getTime() / 1000),
        kid: member,
        'x5t#S256': certificate.thumbprint,
      }
      const input = jwsSigningInput(header, manifestText(manifest))
      const signature = await key.sign(Buffer.from(input, 'ascii'), SCHEMES[header.alg])
      onSigned?.(certificate)
      return joinJws(input, signature)
    },
  }
}
