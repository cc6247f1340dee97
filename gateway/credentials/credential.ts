import { algorithmOf } from '../../protocol/jws.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { parseCertificates, type Certificate } from '../../pki/certificate.ts'
import { purposeFault } from '../../pki/purpose.ts'
import type { SigningKey } from '../../pki/signing-key.ts'
import { namesAnother } from '../own-certificates.ts'

/** What a gateway needs one credential for at each time. */
export interface CredentialSlot {
  readonly kind: 'authentication' | 'signing'
  /** The gateway's id for authentication, `INSTANCE/CLASS/MEMBER` for signing. */
  readonly owner: string
}

/** A key of this gateway and the certificate for it. */
export interface Credential extends CredentialSlot {
  readonly certificate: Certificate
  /** The certificate and those between it and the root, PEM. */
  readonly chain: string
  readonly key: SigningKey
  /** Where the key is: a file, or a `pkcs11:` URI (RFC 7512). */
  readonly keyReference: string
  /** The key itself, PEM, for TLS: set for authentication only. */
  readonly tlsKey?: string
  /** What no time and no registration mends, such as the key usage of another kind. */
  readonly fault: string | undefined
}

/**
 * @param parts.chain PEM, the certificate of the key first.
 * @returns undefined when the chain holds no certificate.
 * @throws CertificateError
 */
export function createCredential(
  parts: Omit<Credential, 'certificate' | 'fault'>,
): Credential | undefined {
  const [certificate] = parseCertificates(parts.chain)
  if (certificate === undefined) return undefined
  return { ...parts, certificate, fault: faultOf(parts, certificate) }
}

function faultOf(
  { kind, owner, key }: Omit<Credential, 'certificate' | 'fault'>,
  certificate: Certificate,
): string | undefined {
  if (!certificate.publicKey.equals(key.publicKey)) return 'is not the certificate of its key'
  if (namesAnother(certificate, owner)) {
    return `is the certificate of ${certificate.subject}, not of ${owner}`
  }
  const fault = purposeFault(certificate, kind)
  if (fault !== undefined) return `is not for ${kind}: ${fault}`
  return kind === 'signing' ? algorithmFault(key) : undefined
}

function algorithmFault({ publicKey }: SigningKey): string | undefined {
  try {
    algorithmOf(publicKey)
    return undefined
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error
    return 'has a key that is not of the kind P-256, RSA or Ed25519'
  }
}

export const isOfSlot = (credential: CredentialSlot, { kind, owner }: CredentialSlot): boolean =>
  credential.kind === kind && credential.owner === owner

/** Milliseconds between the first and the last moment of a certificate. */
export const lifeMs = ({ notBefore, notAfter }: Certificate): number =>
  notAfter.getTime() - notBefore.getTime()
