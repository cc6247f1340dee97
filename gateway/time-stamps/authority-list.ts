import { errorEntry, ExchangeError, type ErrorCode } from '../../protocol/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { TimeStampingAuthorityEntry } from '../catalogue-view.ts'

export interface TimeStampFault {
  readonly code: ErrorCode
  readonly detail: string
  readonly remedy: string
  readonly at: Date
}

/** The authorities that this gateway asks, in order, and how each of them is. */
export interface AuthorityList {
  /**
   * Those to try now, in order: one that failed is left alone for a while, longer each time, and always
   * comes back. One whose address or certificates changed in the catalogue is a new one.
   *
   * @throws ExchangeError `timestamp.none-configured` when there is none, left alone or not.
   */
  due(): readonly TimeStampingAuthorityEntry[]
  failed(authority: TimeStampingAuthorityEntry, error: ExchangeError): void
  succeeded(authority: TimeStampingAuthorityEntry): void
  /** Milliseconds until one that is left alone comes back; undefined when none is. */
  nextDueMs(): number | undefined
  health(): { readonly name: string; readonly url: string; readonly fault?: TimeStampFault }[]
}

const LONGEST_BACK_OFF_MS = 5 * 60_000

export function createAuthorityList(options: {
  readonly gatewayId: string
  /** Of the newest snapshot; undefined while there is none. */
  readonly approved: () => readonly TimeStampingAuthorityEntry[] | undefined
  /** Names, in the order of trying; none means all that are approved, in the catalogue's order. */
  readonly names: readonly string[]
  readonly clock: Clock
  readonly backOffMs: number
}): AuthorityList {
  const { gatewayId, names, clock } = options
  const faults = new Map<string, { fault: TimeStampFault; times: number; until: number }>()

  const chosen = (): TimeStampingAuthorityEntry[] => {
    const approved = options.approved() ?? []
    if (names.length === 0) return [...approved]
    return names.flatMap((name) => approved.find((authority) => authority.name === name) ?? [])
  }
  const noneConfigured = (): ExchangeError => {
    const approved = options.approved()
    const known = approved?.map(({ name }) => name).join(', ')
    const why =
      approved === undefined
        ? 'it has no snapshot of the catalogue, which names them'
        : approved.length === 0
          ? 'the catalogue approves none'
          : `its configuration names ${names.join(', ')}, and the catalogue approves ${known}`
    return new ExchangeError(
      'timestamp.none-configured',
      `gateway ${gatewayId} has no time-stamping authority to ask: ${why}`,
    )
  }
  return {
    due: () => {
      const all = chosen()
      if (all.length === 0) throw noneConfigured()
      // Not by the clock: one that is set back must not leave an authority alone for an hour.
      const now = performance.now()
      return all.filter((authority) => (faults.get(keyOf(authority))?.until ?? 0) <= now)
    },
    failed: (authority, error) => {
      const times = (faults.get(keyOf(authority))?.times ?? 0) + 1
      const backOffMs = Math.min(options.backOffMs * 2 ** (times - 1), LONGEST_BACK_OFF_MS)
      const until = performance.now() + backOffMs
      faults.set(keyOf(authority), { fault: toFault(error, clock()), times, until })
    },
    succeeded: (authority) => faults.delete(keyOf(authority)),
    nextDueMs: () => {
      const waits = chosen().flatMap((authority) => faults.get(keyOf(authority))?.until ?? [])
      return waits.length === 0 ? undefined : Math.max(0, Math.min(...waits) - performance.now())
    },
    health: () =>
      chosen().map((authority) => {
        const known = faults.get(keyOf(authority))
        const { name, url } = authority
        return { name, url, ...(known ? { fault: known.fault } : {}) }
      }),
  }
}

export function toFault({ code, message }: ExchangeError, at: Date): TimeStampFault {
  return { code, detail: message, remedy: errorEntry(code).remedy, at }
}

const keyOf = ({ name, url, certificates }: TimeStampingAuthorityEntry): string =>
  [name, url, ...certificates.map(({ thumbprint }) => thumbprint)].join(' ')
