import type { Certificate } from '../../pki/certificate.ts'
import { verifyOcspResponse } from '../../pki/ocsp-verify.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import { createAnswerFiles } from './answer-files.ts'
import {
  isOutdone,
  revokedError,
  staleError,
  unknownError,
  usableUntil,
  type Answer,
  type OcspQuestion,
  type OcspSource,
  type StatePolicy,
} from './known-state.ts'
import { createOcspClient } from './ocsp-client.ts'
import { announce, type Outage } from './outage-notices.ts'

interface Followed {
  readonly certificate: Certificate
  /** As the newest snapshot has it. */
  question: OcspQuestion
  /** Of this gateway: its answers are fetched ahead, to be handed over. */
  own: boolean
  answer?: Answer
  /** When the responder itself last answered. */
  fetchedAt?: Date
  /** Why it did not answer since then, and when that was found. */
  fault?: string
  faultAt?: Date
  outage?: Outage
  fetching?: Promise<void>
  /** When an exchange last needed it, and when anybody last had to do with it. */
  askedAt?: Date
  seenAt: Date
}
export interface OcspHealth {
  readonly subject: string
  readonly thumbprint: string
  readonly own: boolean
  readonly status: 'good' | 'revoked' | 'unknown'
  readonly source: OcspSource | undefined
  /** When its authority said so (`thisUpdate`), and how long ago that is. */
  readonly heardAt: Date | undefined
  readonly ageSeconds: number | undefined
  readonly fetchedAt: Date | undefined
  readonly nextUpdate: Date | undefined
  /** Until when the answer counts, should there be no other. */
  readonly usableUntil: Date | undefined
  readonly responder: string | undefined
  readonly fault: string | undefined
}

/** Revocation states of certificates, learnt before anybody waits for them (RFC 6960, protocol/README.md §6.5). */
export interface OcspCache extends AsyncDisposable {
  /**
   * Checks that a certificate is not revoked. Waits for the responder only when there is no answer that is
   * young enough, and the responder is not known to be away.
   *
   * @returns the answer that says so.
   * @throws ExchangeError `certificate.revoked`; `certificate.status-stale` when the last answer is older
   *   than an outage may last; `certificate.status-unknown` when there never was one.
   */
  check(question: OcspQuestion, at: Date): Promise<Answer>
  /** Keeps the states of these certificates, this gateway's own, fresh ahead of all need. */
  follow(own: readonly OcspQuestion[]): void
  /** Has an answer about a certificate asked for, unless a young one is at hand; nobody waits for it. */
  hear(question: OcspQuestion): void
  /**
   * Takes an answer that a certificate's owner handed over, unless a newer one is at hand.
   *
   * @returns its `thisUpdate`.
   * @throws ExchangeError `certificate.status-unknown` when it is no verifiable answer that holds now.
   */
  take(der: Buffer, question: OcspQuestion, source: 'owner' | 'stapled'): Date
  /** The newest answer about a certificate; undefined without one that holds by its own `nextUpdate`. */
  answer(thumbprint: string): Answer | undefined
  /** What is known of a revocation, without asking anybody. */
  revocation(thumbprint: string): Answer['state'] | undefined
  health(): OcspHealth[]
}

const TICK_MS = 1000
/** After a failure a responder is left alone this long, however many exchanges ask. */
const RETRY_MS = 2000
const MAX_PARALLEL = 4
const MAX_WRITES = 16
/** What an exchange needed so lately is kept fresh, so that the next one does not wait. */
const LATELY_MS = 3_600_000
/** What nobody asked for since is followed no longer. */
const FORGET_MS = 24 * 3_600_000
/** How far the clocks of responder and gateway may differ, as in verifyOcspResponse. */
const TOLERANCE_MS = 5 * 60_000

interface Options extends StatePolicy {
  /** Folder in which answers survive a restart. */
  readonly dir: string
  /** Told of each answer that is newer than the one before. */
  readonly onAnswer?: (certificate: Certificate, answer: Answer) => void
  readonly clock: Clock
  readonly logger: Logger
}

export function openOcspCache(options: Options): OcspCache {
  const { clock, logger } = options
  const refreshMs = options.refreshSeconds * 1000
  const client = createOcspClient(clock)
  const files = createAnswerFiles(options.dir, options.outageMinutes * 60_000, clock())
  const followed = new Map<string, Followed>()
  let closed = false

  const entryFor = (question: OcspQuestion): Followed => {
    const { thumbprint } = question.certificate
    const known = followed.get(thumbprint)
    if (known) {
      known.question = question
      return known
    }
    const answer = files.read(question, clock())
    const entry: Followed = {
      certificate: question.certificate,
      question,
      own: false,
      seenAt: clock(),
      ...(answer ? { answer } : {}),
    }
    followed.set(thumbprint, entry)
    return entry
  }

  const learn = (entry: Followed, answer: Answer): void => {
    if (isOutdone(answer.state, entry.answer?.state)) return
    entry.answer = answer
    files.keep(entry.certificate.thumbprint, answer.der)
    options.onAnswer?.(entry.certificate, answer)
  }
  const recover = (entry: Followed): void => {
    // As loud as what was told of it.
    if (entry.fault !== undefined) {
      const { subject, ocspUrls } = entry.certificate
      logger.info({ subject, responder: ocspUrls[0] }, 'OCSP state is heard again')
    }
    delete entry.fault
    delete entry.outage
  }

  const fetchNow = (entry: Followed): Promise<void> => {
    entry.fetching ??= client
      .ask(entry.question)
      .then((answer) => {
        entry.fetchedAt = clock()
        recover(entry)
        learn(entry, answer)
      })
      .catch((error: unknown) => {
        if (closed) return
        const { subject, ocspUrls } = entry.certificate
        const line = { subject, responder: ocspUrls[0], err: error }
        if (entry.fault === undefined) logger.warn(line, 'no OCSP answer')
        entry.fault = error instanceof Error ? error.message : String(error)
        entry.faultAt = clock()
        entry.outage ??= { since: entry.faultAt, told: 0 }
      })
      .finally(() => delete entry.fetching)
    return entry.fetching
  }

  /** How long ago this was known to be the state: by the responder's word now, or by the answer's own time. */
  const ageOf = ({ answer, fetchedAt }: Followed, at: Date): number =>
    Math.min(since(answer?.state.thisUpdate, at), since(answer && fetchedAt, at))
  const isResting = ({ fault, faultAt }: Followed, at: Date): boolean =>
    fault !== undefined && Math.abs(at.getTime() - (faultAt?.getTime() ?? 0)) < RETRY_MS
  /** Ahead of need: what is ours first, so that our peers have it before they would ask. */
  const isDue = (entry: Followed, at: Date): boolean => {
    const kept = entry.own || since(entry.askedAt, at) < LATELY_MS
    const after = refreshMs * (entry.own ? 1 / 2 : 3 / 4)
    return kept && !isFinal(entry) && !isResting(entry, at) && ageOf(entry, at) >= after
  }
  const isUsable = ({ answer }: Followed, at: Date): boolean =>
    answer !== undefined && usableUntil(answer.state, options) > at

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
  const write = (most: number): void => {
    try {
      files.write(most)
    } catch (error) {
      logger.warn({ err: error }, 'an OCSP answer could not be kept')
    }
  }
  const tick = (): void => {
    fetchDue()
    write(MAX_WRITES)
    const now = clock()
    for (const [thumbprint, { certificate, own, seenAt, answer, outage, fault }] of followed) {
      if (outage && answer) {
        const heardAt = answer.state.thisUpdate
        const until = usableUntil(answer.state, options)
        announce(outage, { certificate, heardAt, usableUntil: until, fault }, now, logger)
      }
      if (own || since(seenAt, now) < FORGET_MS) continue
      // What may still be of use in an outage is kept until it is not.
      if (certificate.notAfter > now && answer && usableUntil(answer.state, options) > now) continue
      followed.delete(thumbprint)
      files.forget(thumbprint)
    }
  }
  const timer = setInterval(tick, TICK_MS)

  return {
    check: async (question, at) => {
      const entry = entryFor(question)
      entry.askedAt = entry.seenAt = at
      // With a last good answer in hand, one exchange finds out that the responder is away; not every one.
      const waits = !isUsable(entry, at) || entry.fault === undefined
      if (waits && !isFinal(entry) && ageOf(entry, at) >= refreshMs && !isResting(entry, at))
        await fetchNow(entry)
      const { answer } = entry
      if (answer === undefined) throw unknownError(question, options, entry.fault)
      const known = answer.state
      if (known.status === 'revoked') throw revokedError(question.certificate, known)
      if (!isUsable(entry, at)) {
        throw staleError(question, known, options, { at, fault: entry.fault })
      }
      return answer
    },
    follow: (own) => {
      const current = new Set(own.map(({ certificate }) => certificate.thumbprint))
      for (const [thumbprint, entry] of followed) entry.own &&= current.has(thumbprint)
      for (const question of own) entryFor(question).own = true
      fetchDue()
    },
    hear: (question) => {
      const entry = entryFor(question)
      entry.askedAt = entry.seenAt = clock()
      fetchDue()
    },
    take: (der, question, source) => {
      const entry = entryFor(question)
      entry.seenAt = clock()
      if (entry.answer?.der.equals(der)) return entry.answer.state.thisUpdate
      const { certificate, issuer } = question
      const state = verifyOcspResponse(der, { certificate, issuer, at: clock() })
      learn(entry, { der, state, source })
      if (ageOf(entry, clock()) < refreshMs) recover(entry)
      return state.thisUpdate
    },
    answer: (thumbprint) => {
      const answer = followed.get(thumbprint)?.answer
      return answer && answer.state.nextUpdate > clock() ? answer : undefined
    },
    revocation: (thumbprint) => {
      const state = followed.get(thumbprint)?.answer?.state
      return state?.status === 'revoked' ? state : undefined
    },
    health: () => [...followed.values()].map((entry) => healthOf(entry, options, clock())),
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      closed = true
      await client[Symbol.asyncDispose]()
      for (const entry of followed.values()) await entry.fetching
      write(Infinity)
    },
  }
}

/** What was revoked for good needs no newer answer. */
const isFinal = ({ answer }: Followed): boolean =>
  answer?.state.status === 'revoked' && answer.state.reason !== 'certificateHold'

/** Times in the future are of a clock that was off: they count for nothing. */
function since(time: Date | undefined, at: Date): number {
  const age = time ? at.getTime() - time.getTime() : Infinity
  return age < -TOLERANCE_MS ? Infinity : Math.max(0, age)
}

const heard = ({ fetchedAt, faultAt }: Followed): number =>
  Math.max(fetchedAt?.getTime() ?? 0, faultAt?.getTime() ?? 0)

function healthOf(entry: Followed, policy: StatePolicy, at: Date): OcspHealth {
  const { certificate, own, answer, fetchedAt, fault } = entry
  const state = answer?.state
  return {
    subject: certificate.subject,
    thumbprint: certificate.thumbprint,
    own,
    status: state?.status ?? 'unknown',
    source: answer?.source,
    heardAt: state?.thisUpdate,
    ageSeconds: state && Math.round((at.getTime() - state.thisUpdate.getTime()) / 1000),
    fetchedAt,
    nextUpdate: state?.nextUpdate,
    usableUntil: state && usableUntil(state, policy),
    responder: certificate.ocspUrls[0],
    fault,
  }
}
