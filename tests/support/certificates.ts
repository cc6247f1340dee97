import { createCsr } from '../../pki/csr.ts'
import type { Certificate } from '../../pki/certificate.ts'
import type { CertificateIdentity, CertificateKind } from '../../pki/identity.ts'
import { generateKey, type KeyKind, type KeyPair } from '../../pki/keys.ts'
import type { Authority } from '../../pki/authority/authority.ts'

export interface Credentials {
  readonly certificate: Certificate
  readonly keys: KeyPair
  /** PEM, with the certificates between it and the root. */
  readonly cert: string
  readonly key: string
}

export interface CredentialOrder {
  readonly kind: CertificateKind
  readonly identity: CertificateIdentity
  readonly keyKind?: KeyKind
  readonly validityDays?: number
  /** Certificates of one enrolment may renew each other's. */
  readonly enrolment?: string
}

/** A key, and the authority's certificate for it, ordered as everybody orders: by CSR. */
export async function obtain(authority: Authority, order: CredentialOrder): Promise<Credentials> {
  const { kind, identity, keyKind = 'P-256', validityDays, enrolment } = order
  const keys = await generateKey(keyKind)
  const server = kind === 'authentication' || kind === 'server'
  const subjectAltNames = server ? ['localhost', '127.0.0.1'] : []
  const certificate = await authority.issue({
    csr: (await createCsr({ identity, key: keys, subjectAltNames })).pem,
    kind,
    identity,
    subjectAltNames,
    ...(validityDays === undefined ? {} : { validityDays }),
    ...(enrolment === undefined ? {} : { enrolment }),
  })
  const issuer = authority.issuers[kind === 'signing' ? 'signing' : 'authentication']
  return {
    certificate,
    keys,
    cert: `${certificate.pem}${issuer.pem}`,
    key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}
