import type { Certificate } from '../../pki/certificate.ts'
import { lifeMs } from '../credentials/credential.ts'

const DAY_MS = 86_400_000

/** A certificate is renewed when a third of its life is left. */
export function renewalDueAt(certificate: Certificate): Date {
  return new Date(certificate.notAfter.getTime() - lifeMs(certificate) / 3)
}

const FIRST_RETRY_MS = 5000
const SHORTEST_RETRY_MS = 500
const LONGEST_RETRY_MS = 3_600_000
/** Once a certificate has ended there is nothing left to lose, and nothing to be gained by haste. */
const RETRY_AFTER_END_MS = 300_000

/**
 * How long to wait after a failure: twice as long each time, at most a tenth of what is left, so that ten
 * attempts remain whatever happens; with jitter, so that gateways of one outage do not come back as one.
 *
 * @param failures in a row, this one included.
 * @param random from 0 to 1.
 */
export function retryDelayMs(
  certificate: Certificate,
  failures: number,
  at: Date,
  random: number,
): number {
  const leftMs = certificate.notAfter.getTime() - at.getTime()
  const longest = leftMs > 0 ? Math.min(leftMs / 10, LONGEST_RETRY_MS) : RETRY_AFTER_END_MS
  const first = Math.min(FIRST_RETRY_MS, lifeMs(certificate) / 30)
  const doubled = Math.min(first * 2 ** Math.min(failures - 1, 20), longest)
  return Math.max(SHORTEST_RETRY_MS, doubled * (0.5 + random / 2))
}

const NOTICE_DAYS = [1, 7, 14, 30] as const

/**
 * The nearest of the thresholds that a certificate has passed, in days before its end; undefined before the
 * first. That one which renews itself is not far from its end is no news before that is late; nor is it of one
 * that never lives so long.
 */
export function noticeDays(
  certificate: Certificate,
  at: Date,
  renewsItself: boolean,
): number | undefined {
  const leftMs = certificate.notAfter.getTime() - at.getTime()
  const newsMs = renewsItself ? lifeMs(certificate) / 3 : lifeMs(certificate)
  return NOTICE_DAYS.find((days) => leftMs <= days * DAY_MS && days * DAY_MS < newsMs)
}
