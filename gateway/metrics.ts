/** What a gateway tells Prometheus. docs/metrics.md is made from the table. */
import type { Integrator } from '../exchange-log/integrator.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { SnapshotClient } from './catalogue/snapshot-client.ts'
import type { EndingContract } from './contracts/expiry.ts'
import type { CredentialSlot } from './credentials/credential.ts'
import type { CredentialStore } from './credentials/store.ts'
import type { LogSpace } from '../exchange-log/space-watch.ts'
import type { LogKeeping } from './log-keeping.ts'
import type { RenewalState } from './renewal/renewal.ts'
import type { LogStamper } from './time-stamps/log-stamper.ts'
import type { Witnessing } from './transparency/witnessing.ts'
import type { MeasuredClock } from './trust/clock-check.ts'
import type { OcspCache, OcspHealth } from './trust/ocsp-cache.ts'
import type { ValidationKeeper } from './trust/validation-keeper.ts'

export const METRICS_PREFIX = 'spean_gateway_'

interface MetricEntry {
  readonly type: 'gauge' | 'counter'
  readonly labels: readonly string[]
  readonly help: string
}

const OF_STATE = ['subject', 'thumbprint', 'own'] as const

/** A gauge whose value is not known is left out: an age that nobody knows is not 0. */
export const GATEWAY_METRICS = {
  certificate_not_after_seconds: {
    type: 'gauge',
    labels: ['kind', 'member', 'thumbprint'],
    help: 'End of each certificate that this gateway holds, Unix seconds',
  },
  certificate_renewal_next_attempt: {
    type: 'gauge',
    labels: ['kind', 'member'],
    help: 'When a certificate is renewed next, or the renewal is tried again, Unix seconds',
  },
  certificate_renewal_failures_total: {
    type: 'counter',
    labels: ['kind', 'member', 'code'],
    help: 'Attempts to renew a certificate that failed, by the code of the failure',
  },
  ocsp_answer_age_seconds: {
    type: 'gauge',
    labels: OF_STATE,
    help: 'How long ago the authority of a certificate said the state that is known of it',
  },
  ocsp_answer_usable_until_seconds: {
    type: 'gauge',
    labels: OF_STATE,
    help: 'Until when that state counts, should its responder stay away, Unix seconds',
  },
  ocsp_responder_failing: {
    type: 'gauge',
    labels: OF_STATE,
    help: '1 while the responder of a certificate does not answer',
  },
  contract_days_left: {
    type: 'gauge',
    labels: ['contract', 'client', 'service'],
    help: 'Days to the end of each contract that ends within 30 days and that no other follows',
  },
  snapshot_number: {
    type: 'gauge',
    labels: [],
    help: 'Number of the snapshot by which this gateway works',
  },
  snapshot_age_seconds: { type: 'gauge', labels: [], help: 'How long ago it was issued' },
  snapshot_expires_seconds: {
    type: 'gauge',
    labels: [],
    help: 'When it expires and no exchange is taken any more, Unix seconds',
  },
  catalogue_heard_age_seconds: {
    type: 'gauge',
    labels: [],
    help: 'How long ago the catalogue last answered',
  },
  clock_offset_seconds: {
    type: 'gauge',
    labels: [],
    help: 'How far this clock is ahead of the catalogue’s; negative: behind. Traffic stops beyond 300',
  },
  log_tree_size: {
    type: 'gauge',
    labels: [],
    help: 'Records of the exchange log in the newest checkpoint of its tree',
  },
  log_tree_checkpoint_age_seconds: {
    type: 'gauge',
    labels: [],
    help: 'How long ago the newest checkpoint was made; there is no new one without records',
  },
  log_tree_oldest_waiting_seconds: {
    type: 'gauge',
    labels: [],
    help: 'How long ago the oldest record was made that is in no checkpoint; 0 while the tree grows',
  },
  log_tree_failing: {
    type: 'gauge',
    labels: [],
    help: '1 while records are not brought into the tree',
  },
  log_bytes: {
    type: 'gauge',
    labels: [],
    help: 'What the records of the exchange log and their content take',
  },
  log_limit_bytes: {
    type: 'gauge',
    labels: [],
    help: 'What they may take before exchanges are refused',
  },
  log_disk_free_bytes: {
    type: 'gauge',
    labels: [],
    help: 'Free on the disk that the exchange log is on, when it is on this machine',
  },
  log_space_state: {
    type: 'gauge',
    labels: [],
    help: 'Room of the exchange log: 0 enough, 1 soon not, 2 nearly none',
  },
  log_days_left: {
    type: 'gauge',
    labels: [],
    help: 'Days until the exchange log takes no more, at the rate of the last day',
  },
  log_archive_failing: {
    type: 'gauge',
    labels: [],
    help: '1 while old records cannot be archived, where that is configured',
  },
  time_stamp_oldest_unstamped_seconds: {
    type: 'gauge',
    labels: [],
    help: 'How long ago the oldest record was made that no time-stamp covers; 0 when all are covered',
  },
  time_stamp_refused_from_seconds: {
    type: 'gauge',
    labels: [],
    help: 'When exchanges are refused for want of a time-stamp, where that was chosen and a record waits, Unix seconds',
  },
  time_stamp_last_seconds: {
    type: 'gauge',
    labels: [],
    help: 'Time in the last time-stamp, Unix seconds',
  },
  time_stamp_authority_failing: {
    type: 'gauge',
    labels: ['name'],
    help: '1 while a time-stamping authority is left alone because it failed',
  },
  message_findings_total: {
    type: 'counter',
    labels: ['service', 'message', 'outcome'],
    help: 'Messages that were not what description or contract says: refused, reported, or with fields removed',
  },
  validation_waiting: {
    type: 'gauge',
    labels: [],
    help: 'Certificates and OCSP answers, by which signatures were judged, that are not kept yet',
  },
  log_unwitnessed_seconds: {
    type: 'gauge',
    labels: [],
    help: 'How long ago the oldest checkpoint was made that has too few cosignatures; 0 when all have enough, absent when none are asked for',
  },
  log_witness_failing: {
    type: 'gauge',
    labels: ['name'],
    help: '1 while a witness of our log is left alone because it did not cosign',
  },
  log_rolled_back: {
    type: 'gauge',
    labels: [],
    help: '1 when the exchange log is behind what witnesses have seen of it: exchanges are refused',
  },
  quota_shared_failing: {
    type: 'gauge',
    labels: [],
    help: '1 while Redis is away and each replica lets its share of a quota pass; absent without Redis',
  },
  witness_refusals: {
    type: 'gauge',
    labels: ['kind'],
    help: 'Checkpoints of others that this gateway as a witness refused and kept: fork, inconsistent, shrunk',
  },
} as const satisfies Record<string, MetricEntry>

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
    readonly catalogue: Pick<SnapshotClient, 'newest' | 'health'>
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
