import { setImmediate } from 'node:timers/promises'
import type { CertificateState } from '../../protocol/certificate-states.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { memberOf, readClientId } from '../../protocol/identifiers.ts'
import { LIMITS } from '../../protocol/limits.ts'
import type { Certificate } from '../../pki/certificate.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { CatalogueView, GatewayEntry } from '../catalogue-view.ts'
import type { OcspCache } from './ocsp-cache.ts'
import type { SnapshotTrust } from './trust.ts'
import { createWorkBudget } from './work-budget.ts'

/** What gateways tell each other of their own certificates (protocol/README.md §6.5). */
export interface CertificateStates {
  /** What this gateway knows of its own. */
  own(): CertificateState[]
  /**
   * Takes what a gateway says of its own. What is said of others is passed over, and so is what comes after
   * hundreds of new answers in a minute: the responder is asked instead.
   *
   * @returns since when the oldest of it is known; undefined when nothing was taken.
   * @throws ExchangeError `request.malformed` at the first answer that cannot be verified.
   */
  take(
    states: readonly CertificateState[],
    from: GatewayEntry,
    catalogue: CatalogueView,
  ): Promise<Date | undefined>
  /** Takes what came about a certificate in its own handshake, unless it is no answer about it. */
  takeStapled(certificate: Certificate, ocsp: Buffer): void
}

/** Answers verified in one go: two hundred and more would hold up who waits behind them. */
const AT_ONCE = 8

export function createCertificateStates(deps: {
  readonly ocsp: OcspCache
  readonly trust: SnapshotTrust
  /** The certificates in use, also after a renewal. */
  readonly certificates: () => readonly Certificate[]
  readonly logger: Logger
}): CertificateStates {
  const { ocsp, trust, logger } = deps
  const budget = createWorkBudget(2 * LIMITS.certificateStates)
  return {
    own: () =>
      deps.certificates().flatMap(({ thumbprint }) => {
        const answer = ocsp.answer(thumbprint)
        return answer ? [{ thumbprint, ocsp: answer.der }] : []
      }),
    take: async (states, from, catalogue) => {
      const members = new Set([...from.clients].map((client) => memberOf(readClientId(client))))
      let oldest: Date | undefined
      for (const [index, { thumbprint, ocsp: der }] of states.entries()) {
        if (index > 0 && index % AT_ONCE === 0) await setImmediate()
        const certificate = listed(thumbprint, from, members, catalogue)
        if (certificate === undefined) continue
        // What is known costs nothing; a new one costs a signature's verification, good or bad.
        const isKnown = ocsp.answer(thumbprint)?.der.equals(der) === true
        if (!isKnown && !budget.spend(from.id)) break
        const heardAt = takeOne(trust, certificate, der, from)
        if (heardAt && (!oldest || heardAt < oldest)) oldest = heardAt
      }
      return oldest
    },
    takeStapled: (certificate, der) => {
      try {
        trust.take(certificate, der, 'stapled')
      } catch (error) {
        // The connection stands or falls by what the responder says.
        if (!(error instanceof ExchangeError)) throw error
        logger.info({ subject: certificate.subject, err: error }, 'stapled answer not accepted')
      }
    },
  }
}

function listed(
  thumbprint: string,
  from: GatewayEntry,
  members: ReadonlySet<string>,
  catalogue: CatalogueView,
): Certificate | undefined {
  const own = from.certificates.get(thumbprint)
  if (own) return own
  for (const member of members) {
    const signing = catalogue.signingCertificate(member, thumbprint)
    if (signing) return signing
  }
  return undefined
}

function takeOne(
  trust: SnapshotTrust,
  certificate: Certificate,
  der: Buffer,
  from: GatewayEntry,
): Date | undefined {
  try {
    return trust.take(certificate, der, 'owner')
  } catch (cause) {
    if (!(cause instanceof ExchangeError)) throw cause
    throw new ExchangeError(
      'request.malformed',
      `what gateway ${from.id} hands over about ${certificate.subject} is not accepted: ${cause.message}`,
      { cause },
    )
  }
}
