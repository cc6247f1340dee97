import { createHash } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Logger } from '../../runtime/logger.ts'
import { formatCursor } from './cursor.ts'
import { describeTable, type ServiceInfo } from './description.ts'
import type { LiveTable, Snapshot } from './live-table.ts'
import { parseQuery } from './query.ts'
import { Refusal, toCsvProblem } from './refusal.ts'
import { comparable, rowToJson, type Table } from './table.ts'

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}
type Route =
  | { readonly name: 'row'; readonly key: string }
  | { readonly name: 'list' | 'description' | 'health' }

const MAX_TARGET_BYTES = 8192
/** A page with longer rows ends early: `limit` is what the caller wants at most. */
const MAX_PAGE_CHARS = 4 * 1024 * 1024
const JSON_TYPE = 'application/json'

/** Answers GET and HEAD; every request sees one version of the file. */
export function createRequestHandler(deps: {
  readonly liveTable: LiveTable
  readonly logger: Logger
  /** Known once the server listens. */
  readonly service: () => ServiceInfo
}): RequestListener {
  const { liveTable, logger, service } = deps

  async function answer(request: IncomingMessage): Promise<Answer> {
    const target = request.url ?? '/'
    if (target.length > MAX_TARGET_BYTES) {
      throw new Refusal('target.too-long', `a URL has at most ${MAX_TARGET_BYTES} bytes`)
    }
    const [path, ...search] = target.split('?')
    const route = parsePath(path!, service().code)
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new Refusal('method.unsupported', 'call it with GET or HEAD')
    }
    const snapshot = liveTable.current()
    switch (route.name) {
      case 'row':
        return withTag(rowAnswer(snapshot.table, route.key), snapshot.table.version)
      case 'list':
        return withTag(await listAnswer(snapshot, search.join('?')), snapshot.table.version)
      case 'description': {
        const body = JSON.stringify(describeTable(snapshot.table, service()))
        return withTag(ok(body), createHash('sha256').update(body).digest('hex').slice(0, 16))
      }
      case 'health':
        return ok(JSON.stringify(health(snapshot, liveTable.staleBecause())))
    }
  }

  return (request, response) => {
    answer(request)
      .catch((error: unknown) => {
        const problem = toCsvProblem(error)
        // Neither URL nor detail: a key may be personal data.
        if (problem.status >= 500) logger.error({ err: error }, 'request failed')
        return refused(problem)
      })
      .then((reply) => send(request, response, reply))
      .catch((error: unknown) => {
        logger.error({ err: error }, 'answer failed')
        response.destroy()
      })
  }
}

/** @param path raw path of the request: a slash inside a key is percent-encoded. */
function parsePath(path: string, serviceCode: string): Route {
  if (path === '/healthz') return { name: 'health' }
  if (path === '/openapi.json') return { name: 'description' }
  const [first, service, key, ...more] = path.split('/').map(decodeSegment)
  if (first !== '' || service !== serviceCode || more.length > 0) {
    throw new Refusal(
      'path.unknown',
      'there are /openapi.json, /healthz and the service which the former describes',
    )
  }
  return key === undefined || key === '' ? { name: 'list' } : { name: 'row', key }
}

function decodeSegment(segment: string): string {
  try {
    return comparable(decodeURIComponent(segment))
  } catch {
    throw new Refusal('path.malformed', 'percent-encode the path as UTF-8')
  }
}

function rowAnswer(table: Table, key: string): Answer {
  const row = table.rowByKey.get(key)
  if (row !== undefined) return ok(rowToJson(table, row))
  throw new Refusal('row.unknown', `no row has this ${table.columns[table.keyColumn]}`)
}

async function listAnswer({ table, selectRows }: Snapshot, search: string): Promise<Answer> {
  const { total, page, nextRow } = await selectRows(parseQuery(table, search))
  const items: string[] = []
  let length = 0
  for (const row of page) {
    if (length > MAX_PAGE_CHARS) break
    const item = rowToJson(table, row)
    length += item.length
    items.push(item)
  }
  const next = page[items.length] ?? nextRow
  const tail = next === undefined ? '' : `,"next":${JSON.stringify(formatCursor(table, next))}`
  return ok(`{"items":[${items.join(',')}],"total":${total}${tail}}`)
}

function health({ table, loadedAt }: Snapshot, staleBecause: string | undefined): object {
  const { version, rowCount: rows, brokenLines, brokenLineCount } = table
  return { rows, version, loadedAt, staleBecause, brokenLines, brokenLineCount }
}

function ok(body: string): Answer {
  return { status: 200, type: JSON_TYPE, body }
}

function refused(problem: ReturnType<typeof toCsvProblem>): Answer {
  const headers: Record<string, string> = problem.status === 405 ? { allow: 'GET, HEAD' } : {}
  return {
    status: problem.status,
    type: 'application/problem+json',
    body: JSON.stringify(problem),
    headers,
  }
}

function withTag(answer: Answer, tag: string): Answer {
  return { ...answer, headers: { etag: `"${tag}"`, 'cache-control': 'no-cache' } }
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  const { status, type, body, headers = {} } = answer
  if (headers.etag !== undefined && isKnown(request.headers['if-none-match'], headers.etag)) {
    response.writeHead(304, headers).end()
    return
  }
  const bytes = Buffer.from(body)
  response.writeHead(status, {
    ...headers,
    'content-type': type,
    'content-length': bytes.length,
  })
  // Node leaves the body out of an answer to HEAD.
  response.end(bytes)
}

/** Weak comparison, as RFC 9110 §13.1.2 asks of If-None-Match. */
function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  const tags = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes(etag) || tags.includes('*')
}
