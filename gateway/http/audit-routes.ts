import { Readable } from 'node:stream'
import { ExchangeError } from '../../protocol/errors.ts'
import { EMPTY_ROOT, treeRoot } from '../../protocol/merkle-tree.ts'
import { EXPORT_FORMATS, type ExportFormat } from '../../exchange-log/exchange-table.ts'
import type { ExchangeLogStore, ExchangeSummary } from '../../exchange-log/store.ts'
import { tileReader } from '../../exchange-log/tree-reader.ts'
import type { TreeStore } from '../../exchange-log/tree-store.ts'
import type { ApiReply, ApiRequest, Principal, Route } from '../../runtime/admin-api.ts'
import { json, type RouteDescription } from '../../runtime/route-description.ts'
import { allPages, exportText } from '../auditing/export.ts'
import type { ReadInTurn, RecordQuery } from '../auditing/query-log.ts'
import { drawSample } from '../../exchange-log/sample.ts'
import { visibleRecords, withinScope } from '../auditing/scope.ts'
import {
  FILTERS,
  PAGE,
  parseParameters,
  toLogQuery,
  whole,
  type Parameters,
  type Values,
} from './log-query.ts'
import { DRAWN, ENTRIES, EXCHANGES, EXPORTED } from './openapi-schemas.ts'
import { toRecordView } from './log-routes.ts'

export interface AuditDeps {
  readonly store: Pick<ExchangeLogStore, 'list' | 'entries'>
  readonly tree: Pick<TreeStore, 'head' | 'tile' | 'checkpoint'>
  /** Name of the tree (tlog-checkpoint). */
  readonly origin: string
  readonly record: RecordQuery
  readonly read: ReadInTurn
}

const MAX_ID = 200
const SEARCH = { ...FILTERS, ...PAGE }
const EXPORT = {
  ...FILTERS,
  format: {
    schema: { type: 'string', enum: Object.keys(EXPORT_FORMATS) },
    description: 'ndjson (when left out): exact; csv: for spreadsheets.',
  },
} as const satisfies Parameters
const SAMPLE = {
  ...FILTERS,
  size: { schema: whole(1000), description: 'How many exchanges.', required: true },
  seed: {
    schema: { type: 'string', minLength: 1, maxLength: 200 },
    description: 'What chance is made of; it was published before.',
    required: true,
  },
  treeSize: {
    schema: whole(Number.MAX_SAFE_INTEGER),
    description: 'Only exchanges that began among so many first records; of an earlier sample.',
  },
} as const satisfies Parameters

/** What auditors may ask, each within its scope. Every question is recorded before it is answered. */
export function createAuditRoutes(deps: AuditDeps): Route[] {
  const route = (
    path: string,
    about: RouteDescription,
    handle: (principal: Principal, request: ApiRequest) => Promise<ApiReply>,
  ): Route => ({
    method: 'GET',
    path,
    access: 'auditor',
    about: { ...about, refusals: ['log.unavailable', ...(about.refusals ?? [])] },
    handle: (request) => handle(principalOf(request), request),
  })
  return [
    route(
      '/audit/exchanges',
      {
        operationId: 'searchExchanges',
        summary: 'Search',
        details: 'Exchanges that match all parameters, newest first.',
        query: SEARCH,
        answers: { 200: json(EXCHANGES) },
      },
      (principal, request) => search(deps, principal, request),
    ),
    route(
      '/audit/exchanges/:exchangeId',
      {
        operationId: 'showExchange',
        summary: 'One exchange',
        details:
          'All records with an exchange id, events about it included. An exchange out of scope is not found.',
        path: { exchangeId: { schema: { type: 'string', minLength: 1, maxLength: MAX_ID } } },
        answers: { 200: json(ENTRIES) },
        refusals: ['admin.not-found'],
      },
      (principal, request) => show(deps, principal, request),
    ),
    route(
      '/audit/export',
      {
        operationId: 'exportExchanges',
        summary: 'Everything that matches',
        details:
          'Exchanges that began before the export was recorded, newest first, a line each. The end is recorded too; an export that ends without it breaks the connection off.',
        query: EXPORT,
        answers: { 200: EXPORTED },
      },
      (principal, request) => exportAll(deps, principal, request),
    ),
    route(
      '/audit/sample',
      {
        operationId: 'sampleExchanges',
        summary: 'A sample that can be drawn again',
        details:
          'Those `size` exchanges that match and have the lowest tickets; the ticket is a hash of seed and position (docs/auditing.md).',
        query: SAMPLE,
        answers: { 200: json(DRAWN) },
      },
      (principal, request) => sample(deps, principal, request),
    ),
  ]
}

/** @throws TypeError on a public route. */
export function principalOf({ principal }: ApiRequest): Principal {
  if (principal) return principal
  throw new TypeError('the route is public')
}

async function search(deps: AuditDeps, principal: Principal, request: ApiRequest) {
  const parameters = parseParameters(request.query, SEARCH)
  const query = { ...toLogQuery(parameters), ...withinScope(principal) }
  const exchanges = await deps.read(() => deps.store.list(query))
  const results = exchanges.length
  const recorded = await deps.record(principal, { query: 'search', parameters, results })
  const last = exchanges.at(-1)
  const next = results === query.limit && last ? { next: last.position } : {}
  return { body: { exchanges, ...next, recorded } }
}

async function show(deps: AuditDeps, principal: Principal, request: ApiRequest) {
  parseParameters(request.query, {})
  const exchangeId = readExchangeId(request)
  const { seen, recorded } = await recordShow(deps, principal, { exchangeId, query: 'show' })
  return { body: { entries: seen.map(toRecordView), recorded } }
}

interface AskedOne {
  readonly exchangeId: string
  readonly query: 'show' | 'evidence'
  readonly parameters?: Values
}

/**
 * Looks up what somebody may see of an exchange, and records that it was asked for.
 *
 * @throws ExchangeError `admin.not-found` also for an exchange out of scope: not even that it exists is told.
 */
export async function recordShow(
  {
    store,
    record,
    read,
  }: Pick<AuditDeps, 'read' | 'record'> & {
    readonly store: Pick<ExchangeLogStore, 'entries'>
  },
  principal: Principal,
  { exchangeId: id, query, parameters }: AskedOne,
) {
  const all = await read(() => store.entries(id))
  const seen = visibleRecords(principal, all)
  const asked = { query, parameters: { exchangeId: id, ...parameters }, results: seen.length }
  const recorded = await record(principal, asked, all.length > 0 ? id : undefined)
  if (seen.length === 0) throw new ExchangeError('admin.not-found', `the log has no exchange ${id}`)
  return { seen, recorded }
}

export function readExchangeId({ params }: ApiRequest): string {
  const { exchangeId = '' } = params
  if (exchangeId.length <= MAX_ID && !/\p{Cc}/u.test(exchangeId)) return exchangeId
  throw new ExchangeError('admin.invalid', 'an exchange id has 200 characters at most')
}

async function exportAll(deps: AuditDeps, principal: Principal, request: ApiRequest) {
  const { read, record, store } = deps
  const parameters = parseParameters(request.query, EXPORT)
  const format = (parameters.format ?? 'ndjson') as ExportFormat
  const { exchangeId, position } = await record(principal, { query: 'export', parameters })
  const query = { ...toLogQuery(parameters), ...withinScope(principal), before: position }
  const onEnd = (results: number, complete: boolean) =>
    record(principal, { query: 'export-end', begunAt: position, results, complete }, exchangeId)
  const text = exportText(allPages(store, query, read), format, onEnd)
  return {
    headers: {
      'content-type': EXPORT_FORMATS[format],
      'content-disposition': `attachment; filename="exchanges-${exchangeId}.${format}"`,
      'x-spean-recorded': `${position} ${exchangeId}`,
    },
    body: Readable.from(text),
  }
}

async function sample(deps: AuditDeps, principal: Principal, request: ApiRequest) {
  const { read, record, store } = deps
  const parameters = parseParameters(request.query, SAMPLE)
  const tree = await read(() => readTree(deps, parameters.treeSize as number | undefined))
  const query = {
    ...toLogQuery(parameters),
    ...withinScope(principal),
    before: tree.size + 1,
  }
  const asked = { seed: String(parameters.seed), size: Number(parameters.size) }
  const { eligible, drawn } = await drawSample(allPages(store, query, read, request.signal), asked)
  const isGone = request.signal.aborted
  const results = drawn.length
  const drawnFrom = { ...parameters, treeSize: tree.size }
  const recorded = await record(principal, {
    ...{ query: 'sample', parameters: drawnFrom },
    ...(isGone ? { results: 0, complete: false } : { results }),
  })
  const exchanges = drawn.map(({ ticket, exchange }): ExchangeSummary & { ticket: string } => ({
    ...exchange,
    ticket,
  }))
  return { body: { ...asked, tree, eligible, exchanges, recorded } }
}

/** The tree of a size, or the newest. @throws ExchangeError `admin.invalid` for one that is not there yet. */
async function readTree({ tree, origin }: AuditDeps, wanted: number | undefined) {
  const head = await tree.head()
  const size = wanted ?? head?.size ?? 0
  if (size > (head?.size ?? 0)) {
    throw new ExchangeError('admin.invalid', `treeSize: the tree has ${head?.size ?? 0} leaves`)
  }
  const known = size === head?.size ? head : await tree.checkpoint(size)
  const rootHash = known?.rootHash ?? (size === 0 ? EMPTY_ROOT : undefined)
  const root = rootHash ?? (await treeRoot(size, tileReader(tree)))
  const checkpoint = known && known.note + known.cosignatures.map((line) => `${line}\n`).join('')
  return {
    origin,
    size,
    rootHash: root.toString('base64'),
    ...(checkpoint === undefined ? {} : { checkpoint }),
  }
}
