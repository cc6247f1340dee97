import { join } from 'node:path'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import { writeFileAtomically } from '../../runtime/private-file.ts'
import { nameOfKey } from '../pkcs11-uri.ts'
import type { AuthorityKeys } from './authority-keys.ts'
import type { CrlPublisher, PublishedCrl } from './crl-publisher.ts'
import {
  ISSUER_NAMES,
  ISSUING_NAMES,
  openRootKey,
  type IssuerName,
  type Issuers,
} from './issuers.ts'

/** The revocation lists that the authority serves: none goes stale as long as its key is at hand. */
export interface RevocationLists {
  /** The list in force; issued first when one is due. Undefined: there is none, and no key to make one. */
  readonly current: (issuer: IssuerName) => Promise<PublishedCrl | undefined>
  /** Issues the lists of both issuing authorities, due or not. */
  readonly issueNow: () => Promise<PublishedCrl[]>
  /** Issues what is due. */
  readonly refresh: () => Promise<void>
  readonly newest: () => PublishedCrl[]
  /** When the next list is issued at the latest, by itself; undefined for the root's. */
  readonly nextIssueAt: (issuer: IssuerName) => Date | undefined
  /** What the operator must do, in sentences. */
  readonly warnings: () => string[]
}

const DAY_MS = 86_400_000
/** Long, because the root's key is in a safe: it is brought out about once a year. */
const ROOT_LIFE_MS = 400 * DAY_MS
const WARN_DAYS = [30, 14, 7, 1]

export function createRevocationLists(deps: {
  readonly publisher: CrlPublisher
  readonly issuers: Issuers
  readonly keys: AuthorityKeys
  readonly clock: Clock
  readonly logger: Logger | undefined
  /** How long a list of an issuing authority may be relied on. */
  readonly validityMs: number
  /** Age at which it is issued anew. */
  readonly intervalMs: number
}): RevocationLists {
  const { publisher, issuers, keys, clock, logger, validityMs, intervalMs } = deps
  const rootFile = join(keys.stateDir, 'root.crl')

  const publishRoot = async (): Promise<void> => {
    try {
      const signer = { certificate: issuers.root, key: await openRootKey(keys) }
      const { der } = await publisher.publish('root', signer, ROOT_LIFE_MS)
      writeFileAtomically(rootFile, der)
    } finally {
      await keys.closeRoot()
    }
  }
  const maxAgeMs = Math.min(intervalMs, validityMs / 2)
  const isDue = (issuer: IssuerName): boolean => {
    const newest = publisher.newest(issuer)
    const now = clock().getTime()
    // A clock that was set back finds a list of the future, which nobody takes.
    if (newest === undefined || now < newest.thisUpdate.getTime()) return true
    if (issuer === 'root') return newest.nextUpdate.getTime() - now < ROOT_LIFE_MS / 3
    return now - newest.thisUpdate.getTime() >= maxAgeMs
  }
  const refresh = async (issuer: IssuerName): Promise<void> => {
    if (!isDue(issuer)) return
    if (issuer !== 'root') await publisher.publish(issuer, issuers[issuer], validityMs)
    else if (keys.isPresent('root')) await publishRoot()
  }
  const tryRefresh = async (issuer: IssuerName): Promise<void> => {
    try {
      await refresh(issuer)
    } catch (error) {
      // The one before serves on: a token that is away must not take it too.
      logger?.error({ err: error, issuer }, 'revocation list cannot be issued')
    }
  }
  return {
    current: async (issuer) => {
      await tryRefresh(issuer)
      return publisher.newest(issuer)
    },
    issueNow: () =>
      Promise.all(ISSUING_NAMES.map((name) => publisher.publish(name, issuers[name], validityMs))),
    refresh: async () => {
      for (const name of ISSUER_NAMES) await tryRefresh(name)
    },
    newest: () => ISSUER_NAMES.flatMap((name) => publisher.newest(name) ?? []),
    nextIssueAt: (issuer) => {
      const newest = issuer === 'root' ? undefined : publisher.newest(issuer)
      return newest && new Date(newest.thisUpdate.getTime() + maxAgeMs)
    },
    warnings: () => warnings(publisher.newest, keys, clock()),
  }
}

function warnings(newest: CrlPublisher['newest'], keys: AuthorityKeys, at: Date): string[] {
  const root = newest('root')
  const remedy = `bring the root's key back (${nameOfKey(keys.reference('root'))}), start the authority again, and take it away`
  if (root === undefined) return [`there is no revocation list of the root: ${remedy}`]
  const leftMs = root.nextUpdate.getTime() - at.getTime()
  const overdue = ISSUING_NAMES.filter((name) => {
    const list = newest(name)
    return list === undefined || list.nextUpdate < at
  }).map((name) => `the revocation list of the ${name} authority is over: see the log`)
  if (leftMs > WARN_DAYS[0]! * DAY_MS) return overdue
  const days = Math.max(0, Math.floor(leftMs / DAY_MS))
  const what = leftMs <= 0 ? 'is over' : `ends in ${days} days`
  return [...overdue, `the revocation list of the root ${what}: ${remedy}`]
}

/** The step of its warnings that a remaining life has reached; undefined while none. */
export function warningStep(leftMs: number): number | undefined {
  return WARN_DAYS.findLast((days) => leftMs <= days * DAY_MS)
}
