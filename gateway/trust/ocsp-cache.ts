import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'undici'
import { ExchangeError } from '../../protocol/errors.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { createOcspRequest } from '../../pki/ocsp-request.ts'
import { verifyOcspResponse } from '../../pki/ocsp-verify.ts'
import type { Clock } from '../../runtime/clock.ts'
import { readAtMost } from '../../runtime/http-body.ts'
import type { Logger } from '../../runtime/logger.ts'
import { writeFileAtomically } from '../../runtime/private-file.ts'

type State = ReturnType<typeof verifyOcspResponse>

interface Followed {
  readonly certificate: Certificate
  readonly issuer: Certificate
  state?: State
  /** When `state` was fetched. */
  fetchedAt?: Date
  fault?: string
  faultAt?: Date
  fetching?: Promise<void>
  /** When an exchange last needed it. */
  askedAt?: Date
}
export interface OcspHealth {
  readonly subject: string
  readonly status: 'good' | 'revoked' | 'unknown'
  readonly fetchedAt: Date | undefined
  readonly nextUpdate: Date | undefined
  readonly fault: string | undefined
}

/** Revocation states of certificates, learnt before anybody waits for them (RFC 6960). */
export interface OcspCache extends AsyncDisposable {
  /**
   * Checks that `certificate` is not revoked. Only the first check of a certificate waits.
   *
   * @throws ExchangeError `certificate.revoked`; `certificate.status-unknown` when the answer at hand
   *   has passed its `nextUpdate` and no new one can be got.
   */
  check(certificate: Certificate, issuer: Certificate, at: Date): Promise<void>
  /** Keeps the states of these certificates fresh from now on. */
  follow(pairs: readonly { certificate: Certificate; issuer: Certificate }[]): void
  /** Since when a certificate is revoked, as far as is known without asking. */
  revokedAt(certificate: Certificate): Date | undefined
  health(): OcspHealth[]
}

const TICK_MS = 1000
const ANSWER_MS = 5000
/** After a failure a responder is left alone this long, however many exchanges ask. */
const RETRY_MS = 2000
const MAX_ANSWER_BYTES = 65_536
const MAX_PARALLEL = 4
const NONCE_BYTES = 32 // RFC 9654 §2.1
/** A certificate that left the snapshot, and that nobody asked for since, is followed no longer. */
const FORGET_MS = 24 * 3_600_000

export function openOcspCache(options: {
  /** Folder in which answers survive a restart. */
  readonly dir: string
  /** An answer older than this is fetched anew, ahead of its `nextUpdate`: so revocations are seen. */
  readonly refreshSeconds: number
  readonly clock: Clock
  readonly logger: Logger
}): OcspCache {
  const { dir, clock, logger } = options
  const agent = new Agent({ connect: { timeout: ANSWER_MS } })
  const followed = new Map<string, Followed>()
  let closed = false
  const keptFile = ({ certificate }: Followed): string => `${dir}/${certificate.thumbprint}.der`

  const entryFor = (certificate: Certificate, issuer: Certificate): Followed => {
    const known = followed.get(certificate.thumbprint)
    if (known) return known
    const entry: Followed = { certificate, issuer }
    followed.set(certificate.thumbprint, entry)
    try {
      const der = readFileSync(keptFile(entry))
      entry.state = verifyOcspResponse(der, { certificate, issuer, at: clock() })
      entry.fetchedAt = entry.state.thisUpdate
    } catch {
      // None kept, or one that is over: it is fetched.
    }
    return entry
  }

  const fetchNow = (entry: Followed): Promise<void> => {
    entry.fetching ??= fetchState(entry, agent, clock)
      .then(({ der, state }) => {
        entry.fetchedAt = clock()
        delete entry.fault
        if (isOutdone(state, entry.state)) return
        entry.state = state
        writeFileAtomically(keptFile(entry), der)
      })
      .catch((error: unknown) => {
        const text = error instanceof Error ? error.message : String(error)
        if (entry.fault === undefined && !closed) {
          logger.warn({ subject: entry.certificate.subject, err: error }, 'no OCSP answer')
        }
        entry.fault = text
        entry.faultAt = clock()
      })
      .finally(() => delete entry.fetching)
    return entry.fetching
  }

  const isDue = (entry: Followed, at: Date): boolean => {
    // Times in the future are of a clock that was off: they count for nothing.
    const since = (time: Date | undefined): number => {
      const age = time ? at.getTime() - time.getTime() : Infinity
      return age < 0 ? Infinity : age
    }
    if (entry.fault !== undefined && since(entry.faultAt) < RETRY_MS) return false
    return since(entry.fetchedAt) >= options.refreshSeconds * 1000
  }

  // The longest unheard first: with many certificates and one slow responder none is left out.
  const fetchDue = (): void => {
    if (closed) return
    const now = clock()
    const all = [...followed.values()]
    const free = MAX_PARALLEL - all.filter(({ fetching }) => fetching).length
    const due = all
      .filter((entry) => !entry.fetching && isDue(entry, now))
      .sort((a, b) => heard(a) - heard(b))
    for (const entry of due.slice(0, Math.max(0, free))) void fetchNow(entry).then(fetchDue)
  }
  const timer = setInterval(fetchDue, TICK_MS)

  return {
    check: async (certificate, issuer, at) => {
      const entry = entryFor(certificate, issuer)
      entry.askedAt = at
      const usable = (): boolean => entry.state !== undefined && entry.state.nextUpdate > at
      if (!usable() && (entry.fetching !== undefined || isDue(entry, at) || !entry.fault)) {
        await fetchNow(entry)
      }
      const { state } = entry
      if (state?.status === 'revoked') throw revoked(certificate, state)
      if (!usable()) throw unknownState(entry)
    },
    follow: (pairs) => {
      const current = new Set(pairs.map(({ certificate }) => certificate.thumbprint))
      for (const [thumbprint, { certificate, askedAt }] of followed) {
        const idle = clock().getTime() - (askedAt?.getTime() ?? 0) > FORGET_MS
        const over = certificate.notAfter < clock()
        if (over || (idle && !current.has(thumbprint))) followed.delete(thumbprint)
      }
      for (const { certificate, issuer } of pairs) entryFor(certificate, issuer)
    },
    revokedAt: ({ thumbprint }) => {
      const state = followed.get(thumbprint)?.state
      return state?.status === 'revoked' ? (state.revokedAt ?? state.thisUpdate) : undefined
    },
    health: () =>
      [...followed.values()].map(({ certificate, state, fetchedAt, fault }) => ({
        subject: certificate.subject,
        status: state?.status ?? 'unknown',
        fetchedAt,
        nextUpdate: state?.nextUpdate,
        fault,
      })),
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      closed = true
      await agent.destroy()
      for (const entry of followed.values()) await entry.fetching
    },
  }
}

const heard = ({ fetchedAt, faultAt }: Followed): number =>
  Math.max(fetchedAt?.getTime() ?? 0, faultAt?.getTime() ?? 0)

/**
 * An answer is passed over that is older than the one at hand, or calls good what was revoked for good:
 * answers come by plain HTTP, and whoever stands between may play an old one again.
 */
function isOutdone(state: State, held: State | undefined): boolean {
  if (held === undefined) return false
  const forGood = held.status === 'revoked' && held.reason !== 'certificateHold'
  return state.thisUpdate < held.thisUpdate || (forGood && state.status !== 'revoked')
}

async function fetchState(
  { certificate, issuer }: Followed,
  agent: Agent,
  clock: Clock,
): Promise<{ der: Buffer; state: State }> {
  const [url] = certificate.ocspUrls
  if (url === undefined) {
    throw new ExchangeError('certificate.status-unknown', 'the certificate names no OCSP responder')
  }
  const nonce = randomBytes(NONCE_BYTES)
  const { statusCode, body } = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/ocsp-request', accept: 'application/ocsp-response' },
    body: createOcspRequest(certificate, issuer, { nonce }),
    dispatcher: agent,
    headersTimeout: ANSWER_MS,
    bodyTimeout: ANSWER_MS,
  })
  const der = await readAtMost(body, MAX_ANSWER_BYTES)
  if (statusCode !== 200) {
    throw new ExchangeError('certificate.status-unknown', `the responder answered ${statusCode}`)
  }
  return { der, state: verifyOcspResponse(der, { certificate, issuer, at: clock(), nonce }) }
}

function revoked({ subject }: Certificate, { revokedAt, reason }: State): ExchangeError {
  const why = reason === undefined ? '' : ` (${reason})`
  return new ExchangeError(
    'certificate.revoked',
    `the certificate ${subject} was revoked at ${revokedAt?.toISOString()}${why}`,
  )
}

function unknownState({ certificate, state, fault }: Followed): ExchangeError {
  const last = state
    ? `the last answer was good until ${state.nextUpdate.toISOString()}`
    : 'there was no answer yet'
  return new ExchangeError(
    'certificate.status-unknown',
    `the revocation state of ${certificate.subject} is not known from ${certificate.ocspUrls[0]}: ${last}; now: ${fault ?? 'no answer'}`,
  )
}
