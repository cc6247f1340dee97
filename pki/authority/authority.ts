import type { KeyObject } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { ExchangeError } from '../../protocol/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import { ConfigError } from '../../runtime/config.ts'
import type { Certificate } from '../certificate.ts'
import { subjectOf } from '../identity.ts'
import { issueCertificate, type IssueRequest } from '../issue.ts'
import { ensureKeyFile, type KeyKind } from '../keys.ts'
import { OID } from '../oids.ts'
import type { RevocationReason } from '../revocation-reason.ts'
import {
  openCertificateStore,
  type CertificateStore,
  type IssuedCertificate,
} from './certificate-store.ts'
import { verifyOrder, type IssueOrder } from './issue-request.ts'
import { authorityName, hasIssuers, openIssuers } from './issuers.ts'
import { answerOcsp, type OcspAnswer } from './ocsp-responder.ts'
import { createRenewedCertificate } from './renewed-certificate.ts'

export interface AuthorityOptions {
  readonly instance: string
  readonly stateDir: string
  /** Where relying parties reach the public routes, without a slash at the end. */
  readonly publicUrl: () => string
  readonly clock: Clock
  readonly keyKind?: KeyKind
  readonly leafValidityDays?: number
  readonly ocspValidityMs?: number
}

/** The certificate authority of an instance, with its OCSP responder; serves no port by itself. */
export interface Authority extends AsyncDisposable {
  readonly instance: string
  readonly root: Certificate
  readonly issuing: Certificate
  /** PEM of the issuing authority and the root: what a leaf needs above it. */
  readonly chain: string
  /**
   * Issues a certificate; it is recorded before it is returned.
   *
   * @throws ExchangeError `admin.invalid` when request and order do not agree, or fit no profile.
   */
  readonly issue: (order: IssueOrder) => Promise<Certificate>
  /** Issues a certificate for a server of the authority itself. */
  readonly issueServer: (publicKey: KeyObject, names: readonly string[]) => Promise<Certificate>
  /** In the order of issue. */
  readonly list: () => IssuedCertificate[]
  readonly counts: CertificateStore['counts']
  /**
   * Revokes; the next OCSP answer tells it. Repeating it changes nothing.
   *
   * @throws ExchangeError `admin.not-found` for an unknown serial number, `admin.conflict` for a
   * certificate of the authority itself.
   */
  readonly revoke: (serial: string, reason: RevocationReason) => IssuedCertificate
  /** Never throws for what is in the bytes. */
  readonly answerOcsp: (request: Uint8Array) => Promise<OcspAnswer>
}

const DAY_MS = 86_400_000
const DEFAULT_LEAF_DAYS = 730
const DEFAULT_OCSP_VALIDITY_MS = 240 * 60_000

/**
 * Opens the authority in `stateDir`, and makes it at the first start.
 *
 * @throws ConfigError when a part of it is missing or does not belong to the others.
 */
export async function openAuthority(options: AuthorityOptions): Promise<Authority> {
  const { instance, stateDir, publicUrl, clock, keyKind = 'P-256' } = options
  const leafValidityDays = options.leafValidityDays ?? DEFAULT_LEAF_DAYS
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  const databaseFile = join(stateDir, 'authority.db')
  // Without its records the authority would call every certificate it ever issued unknown.
  if (hasIssuers(stateDir) && !existsSync(databaseFile)) {
    throw new ConfigError(`${databaseFile}: is missing beside root.pem; restore it from the backup`)
  }
  await using resources = new AsyncDisposableStack()
  const store = resources.use(openCertificateStore(databaseFile))
  const { root, issuing } = await openIssuers({ stateDir, instance, keyKind, at: clock() })
  store.add(root, 'root-authority', root.notBefore)
  store.add(issuing.certificate, 'issuing-authority', issuing.certificate.notBefore)

  const issueRecorded = async (request: Omit<IssueRequest, 'issuer'>): Promise<Certificate> => {
    const certificate = await issueCertificate({ ...request, issuer: issuing })
    store.add(certificate, request.profile, request.at)
    return certificate
  }
  const addresses = () => ({
    ocspUrl: `${publicUrl()}/ocsp`,
    caIssuersUrl: `${publicUrl()}/ca/issuing.cer`,
  })
  const responderKey = await ensureKeyFile(join(stateDir, 'ocsp-responder.key'), keyKind)
  const responder = {
    issuing: issuing.certificate,
    store,
    key: responderKey,
    validityMs: options.ocspValidityMs ?? DEFAULT_OCSP_VALIDITY_MS,
    certificate: createRenewedCertificate({
      file: join(stateDir, 'ocsp-responder.pem'),
      isFitting: ({ publicKey, issuerDer, extendedKeyUsage }) =>
        publicKey.equals(responderKey.publicKey) &&
        issuerDer.equals(issuing.certificate.subjectDer) &&
        extendedKeyUsage?.includes(OID.ocspSigning) === true,
      issue: (at) =>
        issueRecorded({
          profile: 'ocsp-responder',
          subject: authorityName(instance, `${instance} OCSP responder`),
          publicKey: responderKey.publicKey,
          at,
        }),
    }),
  }
  await responder.certificate(clock())

  const owned = resources.move()
  return {
    instance,
    root,
    issuing: issuing.certificate,
    chain: issuing.certificate.pem + root.pem,
    issue: async (order) => {
      if (order.identity.instance !== instance) {
        throw new ExchangeError('admin.invalid', `this authority issues for ${instance} only`)
      }
      return await issueRecorded({
        profile: order.kind,
        subject: subjectOf(order.identity),
        publicKey: verifyOrder(order).publicKey,
        at: clock(),
        lifetimeMs: Math.min(order.validityDays ?? leafValidityDays, leafValidityDays) * DAY_MS,
        subjectAltNames: order.subjectAltNames ?? [],
        ...addresses(),
      })
    },
    issueServer: (publicKey, names) =>
      issueRecorded({
        profile: 'server',
        subject: authorityName(instance, `${instance} authority`),
        publicKey,
        at: clock(),
        lifetimeMs: leafValidityDays * DAY_MS,
        subjectAltNames: names,
        ...addresses(),
      }),
    list: store.list,
    counts: store.counts,
    revoke: (serial, reason) => revoke(store, serial, reason, clock()),
    answerOcsp: (request) => answerOcsp(responder, request, clock()),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const OWN_KINDS: readonly string[] = ['root-authority', 'issuing-authority', 'ocsp-responder']

function revoke(
  store: CertificateStore,
  serial: string,
  reason: RevocationReason,
  at: Date,
): IssuedCertificate {
  const kind = store.find(serial)?.kind
  if (kind === undefined) {
    throw new ExchangeError('admin.not-found', `no certificate was issued with serial ${serial}`)
  }
  // Nobody asks OCSP about these (RFC 6960 §4.2.2.2.1): saying yes would promise what does not happen.
  if (OWN_KINDS.includes(kind)) {
    throw new ExchangeError(
      'admin.conflict',
      `a certificate of kind ${kind} is withdrawn from the catalogue`,
    )
  }
  store.revoke(serial, at, reason)
  return store.find(serial)!
}
