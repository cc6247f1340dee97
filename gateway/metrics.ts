/** Tells Prometheus what stands in metrics-table.ts. */
import type { Integrator } from '../exchange-log/integrator.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { SnapshotClient } from './catalogue/snapshot-client.ts'
import type { EndingContract } from './contracts/expiry.ts'
import type { CredentialSlot } from './credentials/credential.ts'
import type { CredentialStore } from './credentials/store.ts'
import type { LogSpace } from '../exchange-log/space-watch.ts'
import type { LogKeeping } from './log-keeping.ts'
import { GATEWAY_METRICS, type MetricEntry } from './metrics-table.ts'
import type { RenewalState } from './renewal/renewal.ts'
import type { LogStamper } from './time-stamps/log-stamper.ts'
import type { Witnessing } from './transparency/witnessing.ts'
import type { MeasuredClock } from './trust/clock-check.ts'
import type { OcspCache, OcspHealth } from './trust/ocsp-cache.ts'
import type { ValidationKeeper } from './trust/validation-keeper.ts'

type Table = typeof GATEWAY_METRICS
type NameOf<T extends MetricEntry['type']> = {
  [N in keyof Table]: Table[N]['type'] extends T ? N : never
}[keyof Table]
type Labels<N extends keyof Table> = Record<Table[N]['labels'][number], string>
interface Sample<N extends keyof Table> {
  readonly labels: Labels<N>
  readonly value: number
}

/**
 * Everything is read when Prometheus asks: nothing here costs an exchange.
 *
 * @returns what counts a failure to renew.
 */
export function registerMetrics(
  metrics: Metrics,
  deps: {
    readonly store: Pick<CredentialStore, 'all'>
    readonly renewal: () => readonly RenewalState[]
    readonly ocsp: Pick<OcspCache, 'health'>
    readonly catalogue: Pick<SnapshotClient, 'newest' | 'health' | 'anchorState'>
    readonly clockCheck: Pick<MeasuredClock, 'state'>
    readonly stamper: Pick<LogStamper, 'health'>
    readonly keeper: Pick<ValidationKeeper, 'health'>
    readonly integrator: Pick<Integrator, 'health'>
    readonly witnessing: Pick<Witnessing, 'health'>
    readonly keeping: Pick<LogKeeping, 'health'>
    readonly endingContracts: () => readonly EndingContract[]
    readonly isAway: () => boolean | undefined
    readonly clock: Clock
  },
): (slot: CredentialSlot, code: string) => void {
  const { store, renewal, ocsp, catalogue, clockCheck, stamper, integrator, keeper, clock } = deps
  const gauge = <N extends NameOf<'gauge'>>(name: N, read: () => readonly Sample<N>[]): void => {
    const { help, labels } = GATEWAY_METRICS[name]
    metrics.gauge<Table[N]['labels'][number]>(name, help, labels, read)
  }
  const age = (at: Date): number => (clock().getTime() - at.getTime()) / 1000
  /** One value without labels; none while it is not known. */
  const single = (value: number | undefined): { labels: Record<never, string>; value: number }[] =>
    value === undefined ? [] : [{ labels: {}, value }]

  gauge('certificate_not_after_seconds', () =>
    store.all().map(({ kind, owner, certificate: { thumbprint, notAfter } }) => ({
      labels: { kind, member: owner, thumbprint },
      value: unixSeconds(notAfter),
    })),
  )
  gauge('certificate_renewal_next_attempt', () =>
    renewal().map(({ kind, owner, nextAttemptAt }) => ({
      labels: { kind, member: owner },
      value: unixSeconds(nextAttemptAt),
    })),
  )

  const ofStates = (valueOf: (state: OcspHealth) => number | undefined) => () =>
    ocsp.health().flatMap((state) => {
      const { subject, thumbprint, own } = state
      const value = valueOf(state)
      const labels = { subject, thumbprint, own: String(own) }
      return value === undefined ? [] : [{ labels, value }]
    })
  gauge(
    'ocsp_answer_age_seconds',
    ofStates(({ ageSeconds }) => ageSeconds),
  )
  gauge(
    'ocsp_answer_usable_until_seconds',
    ofStates(({ usableUntil }) => usableUntil && unixSeconds(usableUntil)),
  )
  gauge(
    'ocsp_responder_failing',
    ofStates(({ fault }) => (fault === undefined ? 0 : 1)),
  )

  gauge('contract_days_left', () =>
    deps.endingContracts().map(({ held: { content: c }, daysLeft }) => ({
      labels: { contract: c.id, client: c.client, service: c.service },
      value: daysLeft,
    })),
  )
  gauge('snapshot_number', () => single(catalogue.newest?.number))
  gauge('snapshot_age_seconds', () => single(catalogue.newest && age(catalogue.newest.issuedAt)))
  gauge('snapshot_expires_seconds', () =>
    single(catalogue.newest && unixSeconds(catalogue.newest.expiresAt)),
  )
  gauge('catalogue_heard_age_seconds', () => {
    const { heardAt } = catalogue.health
    return single(heardAt && age(heardAt))
  })
  gauge('snapshot_refused', () => {
    const { refused: code } = catalogue.health
    return code === undefined ? [] : [{ labels: { code }, value: 1 }]
  })
  gauge('anchor_number', () => single(catalogue.anchorState.number))
  gauge('anchor_failing', () => single(catalogue.anchorState.fault === undefined ? 0 : 1))
  gauge('clock_offset_seconds', () => single(clockCheck.state && clockCheck.state.offsetMs / 1000))

  gauge('log_tree_size', () => single(integrator.health().size))
  gauge('log_tree_checkpoint_age_seconds', () => {
    const { checkpointAt } = integrator.health()
    return single(checkpointAt && age(checkpointAt))
  })
  gauge('log_tree_oldest_waiting_seconds', () => {
    const { oldestWaitingAt, fault } = integrator.health()
    if (oldestWaitingAt !== undefined) return single(age(oldestWaitingAt))
    return single(fault === undefined ? 0 : undefined)
  })
  gauge('log_tree_failing', () => single(integrator.health().fault === undefined ? 0 : 1))

  const space = (): LogSpace | undefined => deps.keeping.health().space
  gauge('log_bytes', () => single(space()?.bytes))
  gauge('log_limit_bytes', () => single(space()?.maxBytes))
  gauge('log_disk_free_bytes', () => single(space()?.freeBytes))
  gauge('log_space_state', () => {
    const known = space()
    return single(known && ['ok', 'warning', 'critical'].indexOf(known.state))
  })
  gauge('log_days_left', () => single(space()?.daysLeft))
  gauge('log_archive_failing', () => {
    const { archive } = deps.keeping.health()
    return single(archive && (archive.fault === undefined ? 0 : 1))
  })

  gauge('time_stamp_oldest_unstamped_seconds', () => {
    const { oldestUnstampedAt } = stamper.health()
    return single(oldestUnstampedAt ? age(oldestUnstampedAt) : 0)
  })
  gauge('time_stamp_refused_from_seconds', () => {
    const { refusedFrom } = stamper.health()
    return single(refusedFrom && unixSeconds(refusedFrom))
  })
  gauge('time_stamp_last_seconds', () => {
    const { lastStampAt } = stamper.health()
    return single(lastStampAt && unixSeconds(lastStampAt))
  })
  gauge('time_stamp_authority_failing', () =>
    stamper
      .health()
      .authorities.map(({ name, fault }) => ({ labels: { name }, value: fault ? 1 : 0 })),
  )

  gauge('validation_waiting', () => single(keeper.health().waiting))
  const { witnessing } = deps
  gauge('log_unwitnessed_seconds', () => {
    const { state, waitingMs } = witnessing.health().cosigning
    return state === 'unwitnessed' ? [] : single(Math.round(waitingMs / 1000))
  })
  gauge('log_witness_failing', () =>
    witnessing
      .health()
      .cosigning.witnesses.map(({ name, fault }) => ({ labels: { name }, value: fault ? 1 : 0 })),
  )
  gauge('log_rolled_back', () => single(witnessing.health().rolledBack === undefined ? 0 : 1))
  gauge('quota_shared_failing', () => {
    const isAway = deps.isAway()
    return single(isAway === undefined ? undefined : Number(isAway))
  })
  gauge('witness_refusals', () =>
    Object.entries(witnessing.health().witness.refused).map(([kind, value]) => ({
      labels: { kind },
      value,
    })),
  )

  const { help, labels } = GATEWAY_METRICS.certificate_renewal_failures_total
  const failed = metrics.counter('certificate_renewal_failures_total', help, labels)
  return ({ kind, owner }, code) => failed({ kind, member: owner, code })
}

/** @returns what counts a message that was not as described. */
export function registerFindings(
  metrics: Metrics,
): (labels: Labels<'message_findings_total'>) => void {
  const { help, labels } = GATEWAY_METRICS.message_findings_total
  return metrics.counter('message_findings_total', help, labels)
}

const unixSeconds = (time: Date): number => Math.round(time.getTime() / 1000)
