import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { startCsvAdapter, type CsvAdapter } from '../../../adapters/csv/server.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Parsed body. */
  readonly json: Record<string, unknown>
}
export interface LogLine {
  readonly level: number
  readonly msg: string
  readonly line?: number
}
export interface Served extends AsyncDisposable {
  readonly adapter: CsvAdapter
  readonly folder: string
  readonly file: string
  readonly log: readonly LogLine[]
  /** @param path after the service URL, or a whole URL. */
  get(path: string, init?: RequestInit): Promise<Answer>
}
interface ServeOptions {
  readonly key?: string
  readonly service?: string
  readonly examples?: boolean
}

export const WARN = 40

/** Serves `content` from a file of its own; both are gone at the end of the block. */
export async function serveCsv(
  content: string | Buffer,
  options: ServeOptions = {},
): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), 'csv-adapter-'))
  const file = join(folder, 'rows.csv')
  writeFileSync(file, content)
  const served = await serveFile(file, options).catch((error: unknown) => {
    rmSync(folder, { recursive: true })
    throw error
  })
  return {
    ...served,
    folder,
    [Symbol.asyncDispose]: async () => {
      await served[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true })
    },
  }
}

export async function serveFile(file: string, options: ServeOptions = {}): Promise<Served> {
  const log: LogLine[] = []
  const logger = pino(
    new Writable({
      write: (chunk: Buffer, _, done) => {
        log.push(JSON.parse(chunk.toString()) as LogLine)
        done()
      },
    }),
  )
  const adapter = await startCsvAdapter({ file, service: 'rows', port: 0, ...options, logger })
  return {
    adapter,
    folder: '',
    file,
    log,
    get: async (path, init) => {
      const url = path.startsWith('http') ? path : `${adapter.url}${path}`
      const response = await fetch(url, init)
      const text = await response.text()
      const json = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>
      return { status: response.status, headers: response.headers, text, json }
    },
    [Symbol.asyncDispose]: async () => adapter[Symbol.asyncDispose](),
  }
}

export function urlOf({ adapter }: Served, path: string): string {
  return new URL(path, adapter.url).href
}

/** The values of one column on a page. */
export function column(answer: Answer, name: string): (string | undefined)[] {
  return (answer.json.items as Record<string, string>[]).map((row) => row[name])
}
