import { setImmediate } from 'node:timers/promises'
import type { KeptOcspAnswer, ValidationStore } from '../../exchange-log/validation-store.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { readOcspProducedAt } from '../../pki/ocsp-verify.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Answer } from './known-state.ts'

/**
 * Keeps what signatures were judged by, beside the traffic: no exchange waits for it. What is handed over is
 * written at once, and again until the store has it; it is lost only when the process is killed before, or when
 * thousands wait.
 */
export interface ValidationKeeper extends AsyncDisposable {
  /**
   * A signature was made with a certificate, or judged good by it.
   *
   * @param path leaf first, as far as it is known.
   * @param answer by which it was not revoked; undefined: none is at hand, and the next one counts.
   */
  used(path: readonly Certificate[], answer: Answer | undefined): void
  /** There is a new answer about a certificate: it is kept when one is missing. */
  heard(certificate: Certificate, answer: Answer): void
  keepCertificates(path: readonly Certificate[]): void
  health(): ValidationHealth
}
export interface ValidationHealth {
  /** Certificates and answers that are not written yet. */
  readonly waiting: number
  /** Why they are not; undefined while the store takes them. */
  readonly fault: string | undefined
}

const RETRY_MS = 2000
/** Thumbprints remembered, so that an exchange costs no write; beyond it the oldest is written again. */
const MAX_KNOWN = 10_000
/** Answers that wait for a store that is away: some 20 MB. */
const MAX_WAITING = 10_000

export function startValidationKeeper(options: {
  readonly store: ValidationStore
  /** At most one answer about a certificate is kept in this time. */
  readonly refreshSeconds: number
  readonly logger: Logger
  readonly retryMs?: number
}): ValidationKeeper {
  const { store, logger, retryMs = RETRY_MS } = options
  const refreshMs = options.refreshSeconds * 1000
  const certificates = createWaiting<Buffer>()
  const answers = createWaiting<KeptOcspAnswer>()
  const latest = new Map<string, Answer['state']>()
  const wanted = new Set<string>()
  let fault: string | undefined
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let closed = false

  const write = async (): Promise<void> => {
    await certificates.drain((all) => store.keepCertificates([...all.values()]))
    await answers.drain(async (all) => {
      for (const answer of all.values()) await store.keepOcspAnswer(answer)
    })
  }
  const isWaiting = (): boolean => certificates.size + answers.size > 0
  const round = async (): Promise<void> => {
    try {
      await setImmediate() // what one exchange hands over is written together
      while (isWaiting()) await write()
      if (fault !== undefined) logger.info('what signatures are judged by is kept again')
      fault = undefined
    } catch (error) {
      const text = String(error)
      if (text !== fault) {
        logger.error({ err: error }, 'what signatures are judged by is not kept')
      }
      fault = text
    }
  }
  const run = (): void => {
    if (closed || running || timer) return
    running = round().finally(() => {
      running = undefined
      if (closed || !isWaiting()) return
      timer = setTimeout(() => {
        timer = undefined
        run()
      }, retryMs)
    })
  }

  const keepCertificates = (path: readonly Certificate[]): void => {
    for (const { thumbprint, der } of path) certificates.add(thumbprint, der)
    if (certificates.size > 0) run()
  }
  const keepAnswer = (thumbprint: string, { der, state }: Answer): void => {
    const before = latest.get(thumbprint)
    const isSoon =
      before?.status === state.status &&
      state.thisUpdate.getTime() - before.thisUpdate.getTime() < refreshMs
    if (isSoon) return
    remember(latest, thumbprint, state)
    const producedAt = readOcspProducedAt(der)
    answers.add(`${thumbprint} ${producedAt.getTime()}`, { thumbprint, producedAt, der })
    run()
  }
  return {
    used: (path, answer) => {
      keepCertificates(path)
      const [leaf] = path
      if (leaf === undefined) return
      if (answer !== undefined) keepAnswer(leaf.thumbprint, answer)
      else if (wanted.size < MAX_KNOWN) wanted.add(leaf.thumbprint)
    },
    heard: ({ thumbprint }, answer) => {
      if (wanted.delete(thumbprint)) keepAnswer(thumbprint, answer)
    },
    keepCertificates,
    health: () => ({ waiting: certificates.size + answers.size, fault }),
    [Symbol.asyncDispose]: async () => {
      closed = true
      clearTimeout(timer)
      await running
      await round()
    },
  }
}

interface Waiting<T> {
  readonly size: number
  /** Nothing when it waits, or was written lately. */
  add(key: string, value: T): void
  /** What `write` took without throwing waits no longer. */
  drain(write: (all: ReadonlyMap<string, T>) => Promise<void>): Promise<void>
}

function createWaiting<T>(): Waiting<T> {
  const waiting = new Map<string, T>()
  const written = new Map<string, true>()
  return {
    get size() {
      return waiting.size
    },
    add: (key, value) => {
      if (waiting.has(key)) return
      if (written.has(key)) {
        remember(written, key, true)
        return
      }
      if (waiting.size >= MAX_WAITING) waiting.delete(waiting.keys().next().value!)
      waiting.set(key, value)
    },
    drain: async (write) => {
      if (waiting.size === 0) return
      const all = new Map(waiting)
      await write(all)
      for (const key of all.keys()) {
        waiting.delete(key)
        remember(written, key, true)
      }
    },
  }
}

/** The oldest goes when there are too many; what is used again is the newest. */
function remember<T>(known: Map<string, T>, key: string, value: T): void {
  known.delete(key)
  known.set(key, value)
  if (known.size > MAX_KNOWN) known.delete(known.keys().next().value!)
}
