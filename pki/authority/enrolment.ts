import { createHash } from 'node:crypto'
import { ExchangeError } from '../../protocol/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Certificate } from '../certificate.ts'
import type { CertificateRequest } from '../csr.ts'
import { formatIdentity, isSameIdentity, subjectOf } from '../identity.ts'
import { exportSpki } from '../keys.ts'
import type { Approvals } from './approvals.ts'
import type { CertificateStore } from './certificate-store.ts'
import type { Code, CodeBook, CodeOrder } from './code-book.ts'
import { askedFault, readRequest, verifyAsked } from './issue-request.ts'
import { issuerOf, type IssuingName } from './issuers.ts'
import type { Issuing } from './issuing.ts'
import type { Journal } from './journal.ts'
import { verifyNotRevoked } from './re-enrolment.ts'
import { createWrongCodes } from './wrong-codes.ts'

export interface EnrolmentRequest {
  /** DER of a PKCS#10 request. */
  readonly csr: Uint8Array
  /** The one-time code; undefined when none was sent. */
  readonly code: string | undefined
  /** The authority that must be the one to issue (RFC 7030 §3.2.2). */
  readonly label?: IssuingName | undefined
  readonly remoteAddress: string
}

export type Enrolled = { readonly certificate: Certificate } | { readonly retryAfterMs: number }

const RETRY_AFTER_MS = 15_000

/**
 * Issues to whoever holds a one-time code (RFC 7030 §4.2.1). Each order of a code is for one request: the
 * same request again is given the same certificate, so that a lost answer is no lost code.
 *
 * @throws ExchangeError `enrolment.…` or `encoding.…` with the fault.
 */
export type Enrol = (request: EnrolmentRequest) => Promise<Enrolled>

export function createEnrolment(deps: {
  readonly codes: CodeBook
  readonly approvals: Approvals
  readonly needsApproval: boolean
  readonly issuing: Issuing
  readonly store: CertificateStore
  readonly journal: Journal
  readonly clock: Clock
}): Enrol {
  const { codes, approvals, needsApproval, issuing, store, journal, clock } = deps
  const wrongCodes = createWrongCodes()
  /** Requests in work: the same one, come twice at once, is issued for once. */
  const inWork = new Map<string, Promise<Certificate>>()

  const findCode = ({ code, remoteAddress }: EnrolmentRequest): Code => {
    if (code === undefined) {
      throw new ExchangeError('enrolment.unauthenticated', 'no one-time code was sent')
    }
    wrongCodes.verifyMayTry(remoteAddress, clock())
    const found = codes.find(code)
    if (found !== undefined) return found
    wrongCodes.note(remoteAddress, clock())
    throw new ExchangeError('enrolment.code-invalid', 'this authority gave out no such code')
  }

  const issueFor = async (
    order: CodeOrder,
    code: Code,
    asked: { csr: CertificateRequest; csrDigest: string; remoteAddress: string },
  ): Promise<Certificate> => {
    const { csr, csrDigest, remoteAddress } = asked
    try {
      return await issuing.issue(
        {
          profile: order.kind,
          subject: subjectOf(order.identity),
          publicKey: csr.publicKey,
          subjectAltNames: order.subjectAltNames,
          enrolment: code.id,
          remoteAddress,
        },
        ({ serial }) => {
          codes.complete(order.id, csrDigest, serial)
          journal.append({ action: 'code-used', subject: code.id, detail: `for ${serial}` })
        },
      )
    } catch (error) {
      // Nothing was issued: the code must not be spent by a full disk.
      if (!needsApproval) codes.release(order.id, csrDigest)
      throw error
    }
  }

  return async (request) => {
    const code = findCode(request)
    const csr = readRequest(request.csr)
    const csrDigest = createHash('sha256').update(request.csr).digest('hex')
    const order = chooseOrder(code, csr, { csrDigest, label: request.label })
    if (order.serial !== undefined) return { certificate: collect(store, order.serial) }
    if (order.csrDigest === undefined) verifyNotExpired(code, clock())
    if (!codes.take(order.id, csrDigest)) throw used(code, order)
    const { remoteAddress } = request
    if (needsApproval) {
      const keyThumbprint = thumbprintOf(csr)
      const subject = `code ${code.id}, ${order.kind} for ${formatIdentity(order.identity)}`
      const wanted = { order: order.id, csrDigest, keyThumbprint, remoteAddress, subject }
      if (askOperator(approvals, codes, wanted) === 'pending') {
        return { retryAfterMs: RETRY_AFTER_MS }
      }
    }
    const name = `${order.id} ${csrDigest}`
    const running = inWork.get(name) ?? issueFor(order, code, { csr, csrDigest, remoteAddress })
    inWork.set(name, running)
    try {
      return { certificate: await running }
    } finally {
      inWork.delete(name)
    }
  }
}

/** The order of a code that a request is for. */
function chooseOrder(
  code: Code,
  csr: CertificateRequest,
  { csrDigest, label }: { csrDigest: string; label: IssuingName | undefined },
): CodeOrder {
  const ofLabel = code.orders.filter(({ kind }) => label === undefined || issuerOf(kind) === label)
  const fitting = ofLabel.filter((order) => askedFault(csr, order) === undefined)
  const before = fitting.find((order) => order.csrDigest === csrDigest)
  if (before !== undefined) return before
  const [open, ...others] = fitting.filter((order) => order.csrDigest === undefined)
  if (open !== undefined) {
    verifyOneKind(csr, [open, ...others])
    return open
  }
  const [taken] = fitting
  if (taken !== undefined) throw used(code, taken)
  const { identity } = csr
  const same = ofLabel.find((order) => identity && isSameIdentity(identity, order.identity))
  if (same !== undefined) verifyAsked(csr, same)
  const allowed = ofLabel.map((order) => `${order.kind} ${formatIdentity(order.identity)}`)
  throw new ExchangeError(
    'enrolment.identity-mismatch',
    `the request is for ${csr.subject || 'nobody'}, and the code for ${allowed.join(', ') || `nothing of ${label}`}`,
  )
}

/** A request names nobody but a subject: which kind it is for must not be a guess. */
function verifyOneKind({ subject }: CertificateRequest, open: readonly CodeOrder[]): void {
  const kinds = [...new Set(open.map(({ kind }) => kind))]
  if (kinds.length < 2) return
  const paths = kinds.map((kind) => `${issuerOf(kind)}/simpleenroll for ${kind}`)
  throw new ExchangeError(
    'enrolment.identity-mismatch',
    `the request for ${subject} may be one of several that the code is for; ask by the path of its authority: ${paths.join(', ')}`,
  )
}

function askOperator(
  approvals: Approvals,
  codes: CodeBook,
  wanted: Parameters<Approvals['ask']>[0],
): 'pending' | 'approved' {
  try {
    return approvals.ask(wanted)
  } catch (error) {
    codes.release(wanted.order, wanted.csrDigest)
    throw error
  }
}

function collect(store: CertificateStore, serial: string): Certificate {
  const issued = store.find(serial)!
  verifyNotRevoked(issued)
  return issued.certificate
}

function verifyNotExpired({ id, expiresAt }: Code, at: Date): void {
  if (at < expiresAt) return
  throw new ExchangeError(
    'enrolment.code-expired',
    `the code ${id} was good until ${expiresAt.toISOString()}`,
  )
}

function used({ id }: Code, { kind, identity }: CodeOrder): ExchangeError {
  return new ExchangeError(
    'enrolment.code-used',
    `the code ${id} was used for ${kind} ${formatIdentity(identity)} by another request`,
  )
}

function thumbprintOf({ publicKey }: CertificateRequest): string {
  return createHash('sha256').update(exportSpki(publicKey)).digest('base64url')
}
