/** What a gateway tells Prometheus; docs/metrics.md is made from it. */

export const METRICS_PREFIX = 'spean_gateway_'

export interface MetricEntry {
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
  snapshot_refused: {
    type: 'gauge',
    labels: ['code'],
    help: '1 while the snapshot that the catalogue hands out is refused, by the code of why',
  },
  anchor_number: {
    type: 'gauge',
    labels: [],
    help: 'Number of the anchor by which this gateway believes snapshots; it goes up with each rotation',
  },
  anchor_failing: {
    type: 'gauge',
    labels: [],
    help: '1 while the next anchor of the catalogue cannot be had or is refused',
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
