import { ExchangeError } from '../protocol/errors.ts'
import type { ApiRequest, Principal } from '../runtime/admin-api.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { compareDescriptions, type Comparison } from './comparison/compare-descriptions.ts'
import type { JsonObject } from './comparison/difference.ts'
import {
  compareVersions,
  FIRST_VERSION,
  lowestVersion,
  VERSION_PATTERN,
} from './comparison/versions.ts'
import type { CatalogueContext } from './context.ts'
import { displayText, invalid } from './input.ts'
import type { ServiceDescription } from './service-description.ts'
import { recordServiceEvent } from './service-events.ts'
import { plannedChange, setLife, type LifeColumns } from './service-life.ts'

/** What a body says of the version that it brings. */
export interface WantedVersion {
  version?: string
  /** Of a new service. */
  state?: 'draft' | 'published'
  /** RFC 3339; as soon as it may when left out. */
  effectiveAt?: string
  /** Why consumers have less notice than they should. */
  reason?: string
}
export const wantedVersionProperties = {
  version: { type: 'string', pattern: VERSION_PATTERN, nullable: true },
  state: { type: 'string', enum: ['draft', 'published'], nullable: true },
  effectiveAt: { type: 'string', maxLength: 40, nullable: true },
  reason: { ...displayText, nullable: true },
} as const

export type ChangeContext = Pick<CatalogueContext, 'db' | 'clock' | 'changeNoticeMs'>

interface Wanted {
  /** What is stored, without the description; with the id of the service. */
  readonly service: {
    readonly id: string
    readonly title: string
    readonly classification: string | null
  }
  readonly described: ServiceDescription | undefined
  /** Puts it in force. */
  readonly store: () => void
  readonly asked: WantedVersion
  readonly actor: Principal | undefined
}

interface InForce extends LifeColumns {
  readonly title: string
  readonly descriptionDigest: string | null
}

/**
 * Puts a service in force at once, or plans it for when consumers have had notice; inside of a transaction.
 *
 * @throws ExchangeError `service.version-too-low`, `service.change-too-early`, `service.state-conflict`.
 */
export function putInForce(context: ChangeContext, wanted: Wanted): void {
  const { db, clock } = context
  const { service, described, asked, store } = wanted
  const before = db.get<InForce>('SELECT * FROM service WHERE id = ?', service.id)
  if (before === undefined || before.state === 'draft') {
    store()
    const state = asked.state ?? before?.state ?? 'published'
    const version = asked.version ?? before?.version ?? FIRST_VERSION
    setLife(db, service.id, { version, state })
    if (state === 'published') tellPublished(context, service.id)
    return
  }
  if (before.state === 'retired') throw conflict(`${service.id} is retired; take another code`)
  if (asked.state === 'draft') throw conflict(`${service.id} is published; it is no draft any more`)
  db.run('UPDATE service SET classification = ? WHERE id = ?', service.classification, service.id)
  const change = judge(context, before, wanted)
  if (change === 'planned') {
    // Of what is announced these may still be put right: they break nobody
    const content = JSON.stringify(service)
    db.run('UPDATE planned_change SET content = ? WHERE service = ?', content, service.id)
    return
  }
  const { version, comparison, effectiveAt } = change
  if (comparison.level === undefined && version === before.version) {
    store()
    return
  }
  const data = {
    from: before.version,
    ...comparison,
    effectiveAt: effectiveAt.toISOString(),
    ...(described ? { descriptionDigest: described.digest } : {}),
    ...(asked.reason === undefined ? {} : { reason: asked.reason }),
  }
  if (effectiveAt <= clock()) {
    store()
    setLife(db, service.id, { version })
    recordServiceEvent(db, { type: 'service.changed', service: service.id, version, data }, clock())
  } else {
    plan(context, wanted, { version, comparison, effectiveAt })
    const type = 'service.change-planned'
    recordServiceEvent(db, { type, service: service.id, version, data }, clock())
  }
}

export function tellPublished(
  { db, clock }: Pick<ChangeContext, 'db' | 'clock'>,
  id: string,
): void {
  const { version, title, descriptionDigest } = db.get<InForce>(
    'SELECT * FROM service WHERE id = ?',
    id,
  )!
  const data = { title, ...(descriptionDigest === null ? {} : { descriptionDigest }) }
  recordServiceEvent(db, { type: 'service.published', service: id, version, data }, clock())
}

interface Judged {
  readonly version: string
  readonly comparison: Comparison
  readonly effectiveAt: Date
}

function judge(context: ChangeContext, before: InForce, wanted: Wanted): Judged | 'planned' {
  const { db } = context
  const { service, described, asked, actor } = wanted
  const comparison = compareWithInForce(db, before, service.title, described)
  const planned = plannedChange(db, service.id)
  if (planned && comparison.level !== undefined) {
    const { version = planned.version, effectiveAt = planned.effectiveAt } = asked
    const isSame =
      planned.descriptionDigest === described?.digest &&
      version === planned.version &&
      readInstant('effectiveAt', effectiveAt).getTime() === Date.parse(planned.effectiveAt)
    if (isSame) return 'planned'
    throw conflict(
      `version ${planned.version} of ${service.id} is planned for ${planned.effectiveAt}; withdraw it first`,
    )
  }
  const lowest = lowestVersion(before.version, comparison.level)
  const isBreaking = comparison.level === 'breaking'
  const version = asked.version ?? (isBreaking ? before.version : lowest)
  if (compareVersions(version, lowest) < 0) {
    const [worst] = comparison.differences
    const why = worst ? ` (${worst.text}, at ${worst.pointer || '/'})` : ''
    const detail = `the change is ${comparison.level ?? 'none'}${why}: version ${before.version} is followed by ${lowest} or higher`
    throw new ExchangeError('service.version-too-low', detail)
  }
  const notice = isBreaking ? context.changeNoticeMs : 0
  return { version, comparison, effectiveAt: effectOf(context, notice, asked, actor) }
}

/**
 * When something takes effect of which consumers must have notice.
 *
 * @throws ExchangeError `service.change-too-early` when it is earlier without the operator's reason.
 */
export function effectOf(
  { clock }: Pick<ChangeContext, 'clock'>,
  noticeMs: number,
  asked: Pick<WantedVersion, 'effectiveAt' | 'reason'>,
  actor: Principal | undefined,
): Date {
  const earliest = new Date(clock().getTime() + noticeMs)
  if (asked.effectiveAt === undefined) return earliest
  const wanted = readInstant('effectiveAt', asked.effectiveAt)
  if (noticeMs === 0 || wanted >= earliest) return wanted
  if (actor?.role === 'admin' && asked.reason !== undefined) return wanted
  const detail = `consumers have notice until ${earliest.toISOString()}; ${
    actor?.role === 'admin' ? 'give a reason for less' : 'the operator can shorten it'
  }`
  throw new ExchangeError('service.change-too-early', detail)
}

export function readInstant(field: string, text: string): Date {
  const at = new Date(text)
  const isInstant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text)
  if (isInstant && !Number.isNaN(at.getTime())) return at
  throw invalid(field, 'write a time by RFC 3339: 2027-01-31T00:00:00Z')
}

/** What a description, and a title, would change of what is in force. */
export function compareWithInForce(
  db: Database,
  before: Pick<InForce, 'title' | 'descriptionDigest'>,
  title: string,
  described: ServiceDescription | undefined,
): Comparison {
  const hasSame = (before.descriptionDigest ?? undefined) === described?.digest
  const comparison: Comparison = hasSame
    ? { level: undefined, differences: [] }
    : compareDescriptions(
        before.descriptionDigest === null ? undefined : documentOf(db, before.descriptionDigest),
        described && (JSON.parse(described.bytes.toString()) as JsonObject),
      )
  if (comparison.level !== undefined || before.title === title) return comparison
  const text = `the title was ${before.title}`
  return { level: 'editorial', differences: [{ level: 'editorial', pointer: '', text }] }
}

function documentOf(db: Database, digest: string): JsonObject {
  const row = db.get<{ body: Uint8Array }>('SELECT body FROM description WHERE digest = ?', digest)!
  return JSON.parse(Buffer.from(row.body).toString()) as JsonObject
}

function plan({ db }: ChangeContext, { service, described, asked }: Wanted, judged: Judged): void {
  const { version, comparison, effectiveAt } = judged
  if (described) {
    db.run(
      'INSERT INTO description VALUES (?, ?) ON CONFLICT DO NOTHING',
      described.digest,
      described.bytes,
    )
  }
  db.run(
    'INSERT INTO planned_change VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    service.id,
    version,
    effectiveAt.toISOString(),
    comparison.level ?? null,
    JSON.stringify(comparison.differences),
    JSON.stringify(service),
    JSON.stringify(described?.endpoints ?? []),
    described?.digest ?? null,
    asked.reason ?? null,
  )
}

/**
 * A described service that consumers use leaves with notice, by its retirement; or with a reason.
 *
 * @throws ExchangeError `service.change-too-early`.
 */
export function refuseEarlyRemoval(
  { db, clock }: ChangeContext,
  service: { id: string; version: string; state: string; descriptionDigest?: string },
  { query, principal }: ApiRequest,
): void {
  const { id, version, state, descriptionDigest } = service
  const reason = query.get('reason')
  const isInUse = descriptionDigest !== undefined && state !== 'draft' && state !== 'retired'
  if (isInUse && (!reason?.trim() || principal?.role !== 'admin')) {
    const detail = `${id} is ${state}: retire it, or remove it with ?reason= as the operator`
    throw new ExchangeError('service.change-too-early', detail)
  }
  if (state === 'draft') return
  const data = reason ? { reason: reason.slice(0, 300) } : {}
  recordServiceEvent(db, { type: 'service.removed', service: id, version, data }, clock())
}

export function conflict(detail: string): ExchangeError {
  return new ExchangeError('service.state-conflict', detail)
}
