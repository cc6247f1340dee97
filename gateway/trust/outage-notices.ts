import type { Certificate } from '../../pki/certificate.ts'
import type { Logger } from '../../runtime/logger.ts'
import { duration } from './duration.ts'

/** An outage of a responder, as one certificate sees it. */
export interface Outage {
  readonly since: Date
  /** What was told of it: parts of the time left that had passed, 3 when it was over. */
  told: number
}

/**
 * Announces the end of what a last good answer is worth, before it comes: once when a third of the time
 * left has passed, once at two thirds, and when it is over.
 */
export function announce(
  outage: Outage,
  known: {
    readonly certificate: Certificate
    readonly heardAt: Date
    readonly usableUntil: Date
    readonly fault: string | undefined
  },
  at: Date,
  logger: Logger,
): void {
  const { certificate, heardAt, usableUntil, fault } = known
  const left = usableUntil.getTime() - outage.since.getTime()
  const passed = at.getTime() - outage.since.getTime()
  const thirds = left <= 0 ? 3 : Math.min(3, Math.floor((passed * 3) / left))
  if (thirds <= outage.told) return
  outage.told = thirds
  const line = {
    subject: certificate.subject,
    responder: certificate.ocspUrls[0],
    heardAt,
    usableUntil,
    fault,
  }
  const age = duration(at.getTime() - heardAt.getTime())
  if (thirds === 3) logger.error(line, `OCSP state not heard for ${age}: not used any more`)
  else logger.warn(line, `OCSP state not heard for ${age}: used until ${usableUntil.toISOString()}`)
}
