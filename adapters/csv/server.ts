import { createServer } from 'node:http'
import { hostname } from 'node:os'
import { ConfigError } from '../../runtime/config.ts'
import { listen, type Listening } from '../../runtime/lifecycle.ts'
import type { Logger } from '../../runtime/logger.ts'
import { openLiveTable } from './live-table.ts'
import { createRequestHandler } from './requests.ts'
import { comparable } from './table.ts'

export interface CsvAdapterOptions {
  /** CSV file: UTF-8, a header line, RFC 4180 quoting. */
  readonly file: string
  /** Column that identifies a row; left out: `code` if there is one, else the first column. */
  readonly key?: string | undefined
  /** First path segment of the service. */
  readonly service: string
  /** 0 lets the system choose. */
  readonly port: number
  /** Whether values of the rows stand in the description as examples; not when left out. */
  readonly examples?: boolean | undefined
  /** 127.0.0.1 when left out. */
  readonly host?: string | undefined
  readonly logger: Logger
}
export interface CsvAdapter extends Listening {
  /** The service's own URL, under which it is connected to a gateway. */
  readonly url: string
  /** Its OpenAPI description. */
  readonly descriptionUrl: string
}

const MAX_HEADER_BYTES = 16 * 1024
const REQUEST_TIMEOUT_MS = 30_000

/**
 * Serves a CSV file as an HTTP service: rows at `/SERVICE/{key}`, lists at `/SERVICE`, the
 * description at `/openapi.json`, its state at `/healthz`. Disposing it stops the watch on the file
 * and lets requests in progress end.
 *
 * @throws ConfigError when the file, its key or the address cannot be used.
 */
export async function startCsvAdapter(options: CsvAdapterOptions): Promise<CsvAdapter> {
  const { file, key, port, host = '127.0.0.1', examples = false, logger } = options
  const code = parseServiceCode(options.service)
  await using starting = new AsyncDisposableStack()
  const liveTable = starting.use(await openLiveTable({ file, key, logger }))
  let base = ''
  const url = (): string => `${base}/${encodeURIComponent(code)}`
  const server = createServer(
    { maxHeaderSize: MAX_HEADER_BYTES, requestTimeout: REQUEST_TIMEOUT_MS },
    createRequestHandler({ liveTable, logger, service: () => ({ code, url: url(), examples }) }),
  )
  const listening = starting.use(await listen(server, port, host))
  base = `http://${reachableHost(host)}:${listening.port}`
  const { rowCount, brokenLineCount } = liveTable.current().table
  logger.info({ file, rows: rowCount, brokenLineCount, url: url() }, 'file is served')
  const resources = starting.move()
  return {
    port: listening.port,
    url: url(),
    descriptionUrl: `${base}/openapi.json`,
    [Symbol.asyncDispose]: async () => resources.disposeAsync(),
  }
}

/** The code is one path segment, and none of the adapter's own. */
function parseServiceCode(service: string): string {
  const code = comparable(service)
  if (/^\.{0,2}$|[/\\\p{Cc}]|^(healthz|openapi\.json)$/u.test(code)) {
    throw new ConfigError(
      `service "${service}" cannot stand in a path; use letters, digits and hyphens`,
    )
  }
  return code
}

/** An address that means all interfaces is none that a gateway could call. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return hostname()
  return host.includes(':') ? `[${host}]` : host
}
