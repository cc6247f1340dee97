import type { Certificate } from '../../pki/certificate.ts'
import { subjectOf, type CertificateIdentity } from '../../pki/identity.ts'
import { issueCertificate } from '../../pki/issue.ts'
import { generateKey, type KeyPair } from '../../pki/keys.ts'
import { createOcspRequest, parseOcspRequest } from '../../pki/ocsp-request.ts'
import { createOcspResponse } from '../../pki/ocsp-response.ts'
import { signRegistration } from '../../pki/registration-client.ts'
import type { Registration } from '../../protocol/registration.ts'
import type { Answer, Running, TestAuthority } from './support.ts'

export const MOI: CertificateIdentity = { instance: 'KH-DEV', memberClass: 'GOV', member: 'MOI' }
export const GATEWAY = 'KH-DEV/GOV/MOI/MOI-1'
export const POP = 'KH-DEV/GOV/MOI/POP'
export const DAY_MS = 86_400_000

export interface Held {
  readonly key: KeyPair
  readonly certificate: Certificate
}
export interface Order {
  readonly profile?: 'authentication' | 'signing' | 'information-system'
  readonly identity?: CertificateIdentity
  readonly authority?: TestAuthority
  readonly lifetimeMs?: number
  readonly at?: Date
}
/** A key with a certificate of the test's authority. */
export async function hold(running: Running, order: Order = {}): Promise<Held> {
  const { profile = 'authentication', identity = { ...MOI, gateway: 'MOI-1' } } = order
  const { authority = running.authority, lifetimeMs = 90 * DAY_MS, at = new Date() } = order
  const key = await generateKey('P-256')
  const certificate = await issueCertificate({
    profile,
    subject: subjectOf(identity),
    publicKey: key.publicKey,
    issuer: authority.issuing,
    at,
    lifetimeMs,
  })
  return { key, certificate }
}

export interface Sent {
  readonly signer?: Held
  /** What the OCSP answer says, and about whom. */
  readonly state?: 'good' | 'revoked' | 'unknown'
  readonly about?: Certificate
  readonly answeredAt?: Date
  readonly validityMs?: number
  readonly change?: Partial<Registration>
  readonly listed?: readonly (readonly [kind: 'authentication' | 'signing', Held])[]
  readonly spoil?: (jws: string) => string
  readonly to?: Running
}
/** Sends a registration as a gateway does, right unless `sent` says otherwise. */
export async function register(running: Running, own: Held, sent: Sent = {}): Promise<Answer> {
  const { signer = own, state = 'good', about = signer.certificate, to = running } = sent
  const { answeredAt = new Date(), change = {}, spoil = (jws) => jws } = sent
  const listed = sent.listed ?? [['authentication', own]]
  const { issuing } = running.authority
  const [certId] = parseOcspRequest(createOcspRequest(about, issuing.certificate)).certIds
  const status =
    state === 'revoked'
      ? { status: state, revokedAt: answeredAt, reason: 'keyCompromise' as const }
      : { status: state }
  const ocsp = await createOcspResponse({
    entries: [{ certId: certId!, ...status }],
    responderKey: issuing.key,
    responderCertificate: issuing.certificate,
    at: answeredAt,
    validityMs: sent.validityMs ?? 3_600_000,
  })
  const registration: Registration = {
    version: 1,
    gateway: GATEWAY,
    address: 'https://gw.moi.example:5500',
    clients: [POP],
    certificates: listed.map(([kind, { certificate }]) => ({
      kind,
      der: certificate.der.toString('base64'),
    })),
    ocsp: ocsp.toString('base64'),
    iat: Math.floor(Date.now() / 1000),
    ...change,
  }
  const chain = [signer.certificate, issuing.certificate]
  return to.call('POST', '/registrations', {
    body: spoil(await signRegistration(registration, { key: signer.key, chain })),
    headers: { 'content-type': 'application/jose' },
    token: undefined,
  })
}
