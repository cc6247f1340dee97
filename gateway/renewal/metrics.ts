import type { Metrics } from '../../runtime/metrics.ts'
import type { CredentialSlot } from '../credentials/credential.ts'
import type { CredentialStore } from '../credentials/store.ts'
import type { RenewalState } from './renewal.ts'

const seconds = (time: Date): number => Math.round(time.getTime() / 1000)

/**
 * Says when certificates end and how their renewal goes.
 *
 * @returns what is to be called with each failure.
 */
export function observeCertificates(
  metrics: Metrics,
  deps: {
    readonly store: Pick<CredentialStore, 'all'>
    readonly describe: () => readonly RenewalState[]
  },
): { failed(slot: CredentialSlot, code: string): void } {
  metrics.gauge(
    'certificate_not_after_seconds',
    'End of each certificate that this gateway holds, Unix seconds',
    ['kind', 'member', 'thumbprint'],
    () =>
      deps.store.all().map(({ kind, owner, certificate: { thumbprint, notAfter } }) => ({
        labels: { kind, member: owner, thumbprint },
        value: seconds(notAfter),
      })),
  )
  metrics.gauge(
    'certificate_renewal_next_attempt',
    'When a certificate is renewed next, or the renewal is tried again, Unix seconds',
    ['kind', 'member'],
    () =>
      deps.describe().map(({ kind, owner, nextAttemptAt }) => ({
        labels: { kind, member: owner },
        value: seconds(nextAttemptAt),
      })),
  )
  const failed = metrics.counter(
    'certificate_renewal_failures_total',
    'Attempts to renew a certificate that failed, by the code of the failure',
    ['kind', 'member', 'code'],
  )
  return { failed: ({ kind, owner }, code) => failed({ kind, member: owner, code }) }
}
