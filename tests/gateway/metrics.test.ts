import { describe, expect, it } from 'vitest'
import { GATEWAY_METRICS, METRICS_PREFIX } from '../../gateway/metrics-table.ts'
import { registerFindings, registerMetrics } from '../../gateway/metrics.ts'
import { createMetrics } from '../../runtime/metrics.ts'

const NOW = new Date('2026-03-01T12:00:00Z')
const before = (seconds: number): Date => new Date(NOW.getTime() - seconds * 1000)
const unix = (time: Date): number => time.getTime() / 1000

type Deps = Parameters<typeof registerMetrics>[1]

const KNOWN = {
  store: {
    all: () => [
      {
        kind: 'signing',
        owner: 'KH/COM/BANK',
        certificate: { thumbprint: 'S', notAfter: before(-500) },
      },
    ],
  },
  renewal: () => [{ kind: 'signing', owner: 'KH/COM/BANK', nextAttemptAt: before(-90) }],
  ocsp: {
    health: () => [
      {
        ...{ subject: 'CN=BANK', thumbprint: 'S', own: true },
        ...{ ageSeconds: 40, usableUntil: before(-200), fault: 'no answer' },
      },
      { subject: 'CN=REG', thumbprint: 'R', own: false },
    ],
  },
  catalogue: {
    newest: { number: 7, issuedAt: before(60), expiresAt: before(-3600) },
    health: { heardAt: before(5), fault: undefined, refused: 'catalogue.outdated' },
    anchorState: { number: 3, fault: 'anchor 4 is not signed' },
  },
  clockCheck: { state: { offsetMs: -1500, against: 'the catalogue', measuredAt: NOW } },
  stamper: {
    health: () => ({
      oldestUnstampedAt: before(75),
      refusedFrom: before(-45),
      lastStampAt: before(80),
      authorities: [{ name: 'one' }, { name: 'two', fault: {} }],
    }),
  },
  keeper: { health: () => ({ waiting: 3 }) },
  integrator: {
    health: () => ({
      size: 12,
      checkpointAt: before(300),
      oldestWaitingAt: before(290),
      fault: 'TreeStoreError',
    }),
  },
  witnessing: {
    health: () => ({
      cosigning: {
        state: 'late',
        waitingMs: 95_000,
        witnesses: [{ name: 'w1' }, { name: 'w2', fault: 'away' }],
      },
      rolledBack: undefined,
      witness: { refused: { fork: 1, inconsistent: 0, shrunk: 2 } },
    }),
  },
  keeping: {
    health: () => ({
      space: { state: 'warning', bytes: 9, maxBytes: 10, freeBytes: 11, daysLeft: 12.5 },
      archive: { fault: 'the place is away' },
    }),
  },
  endingContracts: () => [
    { held: { content: { id: 'c1', client: 'KH/COM/BANK', service: 'S' } }, daysLeft: 2.5 },
  ],
  isAway: () => true,
  clock: () => NOW,
} as unknown as Deps

async function scrape(deps: Deps, act?: (failed: ReturnType<typeof registerMetrics>) => void) {
  const metrics = createMetrics(METRICS_PREFIX)
  const failed = registerMetrics(metrics, deps)
  registerFindings(metrics)
  act?.(failed)
  return (await metrics.text()).split('\n').filter((line) => line !== '')
}

describe('the metrics of a gateway', () => {
  it('are those of the table, with its words', async () => {
    const lines = await scrape(KNOWN)
    const described = lines.filter((line) => line.startsWith('# HELP'))
    expect(described.toSorted()).toEqual(
      Object.entries(GATEWAY_METRICS)
        .map(([name, { help }]) => `# HELP spean_gateway_${name} ${help}`)
        .toSorted(),
    )
  })

  it('say what is known, and its age', async () => {
    const lines = await scrape(KNOWN, (failed) =>
      failed({ kind: 'signing', owner: 'KH/COM/BANK' }, 'enrolment.unavailable'),
    )
    const own = 'subject="CN=BANK",thumbprint="S",own="true"'
    const other = 'subject="CN=REG",thumbprint="R",own="false"'
    const signing = 'kind="signing",member="KH/COM/BANK"'
    expect(lines.filter((line) => !line.startsWith('#')).toSorted()).toEqual(
      [
        `certificate_not_after_seconds{${signing},thumbprint="S"} ${unix(NOW) + 500}`,
        `certificate_renewal_next_attempt{${signing}} ${unix(NOW) + 90}`,
        `certificate_renewal_failures_total{${signing},code="enrolment.unavailable"} 1`,
        `ocsp_answer_age_seconds{${own}} 40`,
        `ocsp_answer_usable_until_seconds{${own}} ${unix(NOW) + 200}`,
        `ocsp_responder_failing{${own}} 1`,
        `ocsp_responder_failing{${other}} 0`,
        'contract_days_left{contract="c1",client="KH/COM/BANK",service="S"} 2.5',
        'snapshot_number 7',
        'snapshot_age_seconds 60',
        `snapshot_expires_seconds ${unix(NOW) + 3600}`,
        'catalogue_heard_age_seconds 5',
        'snapshot_refused{code="catalogue.outdated"} 1',
        'anchor_number 3',
        'anchor_failing 1',
        'clock_offset_seconds -1.5',
        'log_tree_size 12',
        'log_tree_checkpoint_age_seconds 300',
        'log_tree_oldest_waiting_seconds 290',
        'log_tree_failing 1',
        'log_unwitnessed_seconds 95',
        'log_witness_failing{name="w1"} 0',
        'log_witness_failing{name="w2"} 1',
        'log_rolled_back 0',
        'log_bytes 9',
        'log_limit_bytes 10',
        'log_disk_free_bytes 11',
        'log_space_state 1',
        'log_days_left 12.5',
        'log_archive_failing 1',
        'quota_shared_failing 1',
        'witness_refusals{kind="fork"} 1',
        'witness_refusals{kind="inconsistent"} 0',
        'witness_refusals{kind="shrunk"} 2',
        'time_stamp_oldest_unstamped_seconds 75',
        `time_stamp_refused_from_seconds ${unix(NOW) + 45}`,
        `time_stamp_last_seconds ${unix(NOW) - 80}`,
        'time_stamp_authority_failing{name="one"} 0',
        'time_stamp_authority_failing{name="two"} 1',
        'validation_waiting 3',
      ]
        .map((line) => METRICS_PREFIX + line)
        .toSorted(),
    )
  })

  it('leave out what is not known', async () => {
    const lines = await scrape({
      store: { all: () => [] },
      renewal: () => [],
      endingContracts: () => [],
      ocsp: { health: () => [] },
      catalogue: {
        newest: undefined,
        health: { heardAt: undefined, fault: 'no answer' },
        anchorState: { number: 1 },
      },
      clockCheck: { state: undefined },
      stamper: { health: () => ({ authorities: [] }) },
      keeper: { health: () => ({ waiting: 0 }) },
      integrator: { health: () => ({ fault: 'TreeStoreError' }) },
      witnessing: {
        health: () => ({
          cosigning: { state: 'unwitnessed', witnesses: [] },
          rolledBack: { detail: 'another past' },
          witness: { refused: {} },
        }),
      },
      keeping: { health: () => ({ space: undefined, archive: undefined }) },
      isAway: () => undefined,
      clock: () => NOW,
    } as unknown as Deps)
    expect(lines.filter((line) => !line.startsWith('#'))).toEqual([
      'spean_gateway_anchor_number 1',
      'spean_gateway_anchor_failing 0',
      'spean_gateway_log_tree_failing 1',
      'spean_gateway_time_stamp_oldest_unstamped_seconds 0',
      'spean_gateway_validation_waiting 0',
      'spean_gateway_log_rolled_back 1',
    ])
  })
})
