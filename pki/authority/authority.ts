import type { KeyObject } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Certificate } from '../certificate.ts'
import { subjectOf, type CertificateKind } from '../identity.ts'
import type { KeyKind } from '../keys.ts'
import { PROFILES } from '../profiles.ts'
import type { RevocationReason } from '../revocation-reason.ts'
import { createApprovals, type Approvals } from './approvals.ts'
import { createAuthorityKeys, type AuthorityKeys, type KeyName } from './authority-keys.ts'
import {
  createCertificateStore,
  type CertificateStore,
  type IssuedCertificate,
} from './certificate-store.ts'
import { createCodeBook, type CodeBook } from './code-book.ts'
import { createCrlPublisher } from './crl-publisher.ts'
import { openDatabase } from './database.ts'
import { createEnrolment, type Enrol } from './enrolment.ts'
import { readRequest, verifyAsked, verifyEntitlement, type IssueOrder } from './issue-request.ts'
import { authorityName, openIssuers, type IssuingName } from './issuers.ts'
import { addressesOf, createIssuing } from './issuing.ts'
import { createJournal, type Journal } from './journal.ts'
import { answerOcsp, type OcspAnswer } from './ocsp-responder.ts'
import { openOcspResponders } from './ocsp-responders.ts'
import { createReEnrolment, type ReEnrol } from './re-enrolment.ts'
import { createRevocationLists, type RevocationLists } from './revocation-lists.ts'
import { revokeCertificate } from './revoking.ts'
import { DEFAULT_ACCURACY_MS, DEFAULT_POLICY } from './time-stamping.ts'
import { openTimeStampService, type TimeStampService } from './time-stamp-service.ts'

export interface AuthorityOptions {
  readonly instance: string
  readonly stateDir: string
  /** Where relying parties reach the public routes, without a slash at the end. */
  readonly publicUrl: () => string
  /** Where gateways enrol, without a slash at the end. */
  readonly estUrl?: () => string
  readonly clock: Clock
  readonly logger?: Logger
  readonly keyKind?: KeyKind
  readonly passphrase?: string | undefined
  readonly keys?: Partial<Record<KeyName, string>>
  /** Longest life of each kind. */
  readonly lifetimes?: Partial<Record<CertificateKind, number>>
  readonly ocspValidityMs?: number
  readonly crlValidityMs?: number
  readonly crlIntervalMs?: number
  readonly timeStamping?: { readonly policy: string; readonly accuracyMs: number }
  /** True: the operator is asked about each enrolment. */
  readonly needsApproval?: boolean
}

/** The certificate authority of an instance, with all that it publishes; serves no port by itself. */
export interface Authority extends AsyncDisposable {
  readonly instance: string
  readonly root: Certificate
  readonly issuers: Readonly<Record<IssuingName, Certificate>>
  /** PEM of both issuing authorities and the root. */
  readonly chain: string
  /**
   * Issues a certificate; it is recorded before it is returned.
   *
   * @throws ExchangeError `admin.invalid` when the order fits no kind, `encoding.…` or `enrolment.…` when
   * the request is not one for it.
   */
  readonly issue: (order: IssueOrder) => Promise<Certificate>
  /** Issues a certificate for a server of the authority itself. */
  readonly issueServer: (publicKey: KeyObject, names: readonly string[]) => Promise<Certificate>
  readonly find: CertificateStore['find']
  /** In the order of issue. */
  readonly list: CertificateStore['list']
  readonly counts: CertificateStore['counts']
  /**
   * Revokes; the next OCSP answer tells it, and the next revocation list. Repeating it changes nothing.
   *
   * @throws ExchangeError `admin.not-found` for an unknown serial number, `admin.conflict` for a
   * certificate of the authority itself.
   */
  readonly revoke: (serial: string, reason: RevocationReason) => IssuedCertificate
  /** Never throws. */
  readonly answerOcsp: (request: Uint8Array) => Promise<OcspAnswer>
  readonly answerTimeStamp: TimeStampService['answer']
  readonly revocationLists: RevocationLists
  readonly codes: CodeBook
  readonly approvals: Approvals
  readonly enrol: Enrol
  readonly reEnrol: ReEnrol
  readonly journal: Journal
  readonly isRootKeyPresent: () => boolean
  readonly clock: Clock
  /** Where gateways enrol, without a slash at the end. */
  readonly estUrl: () => string
  /** What the operator must do, in sentences; empty when all is well. */
  readonly warnings: () => string[]
  /** A key for TLS in a file of its folder, made when it is not there. */
  readonly openTlsKey: AuthorityKeys['openTls']
}

const DAY_MS = 86_400_000
const DEFAULT_OCSP_VALIDITY_MS = 240 * 60_000
const DEFAULT_CRL_INTERVAL_MS = 60 * 60_000

/**
 * Opens the authority in `stateDir`, and makes it at the first start.
 *
 * @throws ConfigError when a part of it is missing or does not belong to the others.
 */
export async function openAuthority(options: AuthorityOptions): Promise<Authority> {
  const { instance, stateDir, publicUrl, clock, logger, keyKind = 'P-256' } = options
  const lifetimes = withDefaults(options.lifetimes)
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  await using resources = new AsyncDisposableStack()
  const keys = resources.use(
    createAuthorityKeys({
      stateDir,
      keyKind,
      passphrase: options.passphrase,
      references: options.keys,
    }),
  )
  const db = resources.use(openDatabase(stateDir))
  const journal = resources.use(createJournal(db, clock))
  const store = createCertificateStore(db)
  const issuers = await openIssuers({
    keys,
    instance,
    at: clock(),
    addresses: () => {
      const { crlUrl, caIssuersUrl } = addressesOf(publicUrl(), 'root')
      return { crlUrl, caIssuersUrl }
    },
  })
  const { root, authentication, signing } = issuers
  recordOwn({ store, journal }, root, [authentication.certificate, signing.certificate])

  const issuing = createIssuing({ db, store, journal, issuers, publicUrl, lifetimes, clock })
  const responders = await openOcspResponders({ keys, instance, issuers, issuing, clock })
  const timeStamps = resources.use(
    await openTimeStampService({
      ...{ keys, instance, issuers, issuing, store, journal, clock, logger },
      policy: options.timeStamping?.policy ?? DEFAULT_POLICY,
      accuracyMs: options.timeStamping?.accuracyMs ?? DEFAULT_ACCURACY_MS,
    }),
  )
  const publisher = createCrlPublisher({ db, store, journal, clock })
  const revocationLists = createRevocationLists({
    publisher,
    issuers,
    keys,
    clock,
    logger,
    validityMs: options.crlValidityMs ?? DAY_MS,
    intervalMs: options.crlIntervalMs ?? DEFAULT_CRL_INTERVAL_MS,
  })
  await revocationLists.refresh()
  await keys.closeRoot()
  const codes = createCodeBook({ db, journal, clock, instance })
  const approvals = createApprovals({ db, journal, clock })
  const needsApproval = options.needsApproval ?? false
  const validityMs = options.ocspValidityMs ?? DEFAULT_OCSP_VALIDITY_MS

  const owned = resources.move()
  return {
    instance,
    root,
    issuers: { authentication: authentication.certificate, signing: signing.certificate },
    chain: authentication.certificate.pem + signing.certificate.pem + root.pem,
    issue: async (order) => {
      const { kind, identity, subjectAltNames = [], enrolment, validityDays } = order
      verifyEntitlement(instance, { kind, identity, subjectAltNames })
      const request = readRequest(order.csr)
      verifyAsked(request, { kind, identity, subjectAltNames })
      return await issuing.issue({
        profile: kind,
        subject: subjectOf(identity),
        publicKey: request.publicKey,
        subjectAltNames,
        ...(validityDays === undefined ? {} : { lifetimeMs: validityDays * DAY_MS }),
        ...(enrolment === undefined ? {} : { enrolment }),
      })
    },
    issueServer: (publicKey, subjectAltNames) => {
      const subject = authorityName(instance, `${instance} authority`)
      return issuing.issue({ profile: 'server', subject, publicKey, subjectAltNames })
    },
    find: store.find,
    list: store.list,
    counts: store.counts,
    revoke: (serial, reason) => revokeCertificate({ db, store, journal, clock }, serial, reason),
    answerOcsp: async (request) => {
      const answer = await answerOcsp(responders, store, { request, at: clock(), validityMs })
      if (answer.cause !== undefined) logger?.error({ err: answer.cause }, 'OCSP cannot answer')
      return answer
    },
    answerTimeStamp: timeStamps.answer,
    revocationLists,
    codes,
    approvals,
    enrol: createEnrolment({
      codes,
      approvals,
      needsApproval,
      issuing,
      store,
      journal,
      clock,
    }),
    reEnrol: createReEnrolment({ store, issuers, issuing, clock }),
    journal,
    clock,
    estUrl: options.estUrl ?? (() => ''),
    isRootKeyPresent: () => keys.isPresent('root'),
    warnings: () => [
      ...revocationLists.warnings(),
      ...endWarnings([authentication.certificate, signing.certificate], lifetimes, clock()),
    ],
    openTlsKey: keys.openTls,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function withDefaults(
  lifetimes: Partial<Record<CertificateKind, number>> = {},
): Record<CertificateKind, number> {
  const of = (kind: CertificateKind): number => lifetimes[kind] ?? PROFILES[kind].lifetimeMs
  return {
    authentication: of('authentication'),
    signing: of('signing'),
    'information-system': of('information-system'),
    server: of('server'),
  }
}

function recordOwn(
  { store, journal }: { store: CertificateStore; journal: Journal },
  root: Certificate,
  issuing: readonly Certificate[],
): void {
  if (store.find(root.serial) === undefined) {
    journal.append({ action: 'authority-made', subject: root.serial, detail: root.subject })
  }
  store.add({ certificate: root, issuer: 'root', kind: 'root-authority', issuedAt: root.notBefore })
  for (const certificate of issuing) {
    const issuedAt = certificate.notBefore
    store.add({ certificate, issuer: 'root', kind: 'issuing-authority', issuedAt })
  }
}

/** RFC 5280 §4.1.2.5: nothing is issued beyond the end of its issuer, so leaves would become shorter. */
function endWarnings(
  issuing: readonly Certificate[],
  lifetimes: Readonly<Record<CertificateKind, number>>,
  at: Date,
): string[] {
  const longest = Math.max(...Object.values(lifetimes))
  return issuing
    .filter(({ notAfter }) => notAfter.getTime() - at.getTime() < longest)
    .map(
      ({ subject, notAfter }) =>
        `${subject} ends on ${notAfter.toISOString()}, before what it issues: begin a new authority in time`,
    )
}
