import { createHash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import { ConfigError } from '../../runtime/config.ts'
import type { Logger } from '../../runtime/logger.ts'
import { createColumnProfiler, type ColumnProfiler } from './column-profile.ts'
import { createRecordReader } from './record-reader.ts'
import { comparable, type BrokenLine, type Table } from './table.ts'

export interface TableSource {
  readonly file: string
  /** Left out: `code` if there is such a column, else the first. */
  readonly key?: string | undefined
  readonly logger: Logger
}

const REPORTED_LINES = 100
const CHUNK_BYTES = 64 * 1024

/**
 * Reads a whole CSV file, without holding up the process for longer than one piece of 64 KiB. Lines
 * that cannot be served are left out, logged and listed in the table.
 *
 * @throws ConfigError when nothing of it can be served: no file, no header, no key column.
 */
export async function loadTable(source: TableSource, signal?: AbortSignal): Promise<Table> {
  await using handle = await openFile(source.file)
  const hash = createHash('sha256')
  const builder = createTableBuilder(source)
  const reader = createRecordReader(builder)
  const stream = handle.createReadStream({
    autoClose: false,
    highWaterMark: CHUNK_BYTES,
    ...(signal && { signal }),
  })
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      hash.update(chunk)
      reader.push(chunk)
    }
  } catch (cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException
    if (syscall !== 'read') throw cause
    throw new ConfigError(`${source.file}: cannot be read (${code})`, { cause })
  }
  reader.end()
  return builder.finish(hash)
}

async function openFile(file: string): Promise<FileHandle> {
  try {
    return await open(file)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new ConfigError(`${file}: cannot be read (${code}); name an existing CSV file`, { cause })
  }
}

interface TableBuilder {
  record(line: number, fields: string[]): void
  broken(line: number, why: string): void
  finish(hash: ReturnType<typeof createHash>): Table
}
interface Body {
  readonly columns: readonly string[]
  readonly names: readonly string[]
  readonly keyColumn: number
  readonly values: string[][]
  readonly profilers: readonly ColumnProfiler[]
}

function createTableBuilder({ file, key, logger }: TableSource): TableBuilder {
  const brokenLines: BrokenLine[] = []
  let brokenLineCount = 0
  const rowByKey = new Map<string, number>()
  const lineOfRow: number[] = []
  let body: Body | undefined

  function broken(line: number, why: string): void {
    if (!body) {
      throw new ConfigError(
        `${file}: its header, line ${line}, cannot be read: it ${why}. Save the file as CSV in UTF-8`,
      )
    }
    brokenLineCount++
    if (brokenLines.length === REPORTED_LINES) return
    brokenLines.push({ line, why })
    logger.warn({ file, line, why }, 'line left out')
  }

  function record(line: number, fields: string[]): void {
    if (!body) {
      body = startBody(file, fields, key)
      return
    }
    const { columns, keyColumn, values, profilers } = body
    if (fields.length !== columns.length) {
      broken(line, `has ${fields.length} fields, the header ${columns.length}`)
      return
    }
    const rowKey = comparable(fields[keyColumn]!)
    const before = rowByKey.get(rowKey)
    if (rowKey === '') broken(line, `has no value for ${columns[keyColumn]}`)
    else if (before !== undefined) {
      broken(line, `has the same ${columns[keyColumn]} as line ${lineOfRow[before]}`)
    } else {
      const shared = fields.map((value, column) => profilers[column]!.add(value))
      rowByKey.set(rowKey, lineOfRow.length)
      lineOfRow.push(line)
      shared.forEach((value, column) => values[column]!.push(value))
    }
  }

  function finish(hash: ReturnType<typeof createHash>): Table {
    if (!body) {
      throw new ConfigError(`${file}: is empty; its first line must name the columns`)
    }
    if (brokenLineCount > brokenLines.length) {
      logger.warn({ file, brokenLineCount }, 'more lines left out')
    }
    const { columns, names, keyColumn, values, profilers } = body
    // Another key leaves out other rows, which gives the rest other numbers.
    const version = hash.update(`\0${columns[keyColumn]}`).digest('hex').slice(0, 16)
    const profiles = profilers.map((profiler) => profiler.finish())
    const rowCount = lineOfRow.length
    const rows = { rowCount, values, rowByKey }
    return { version, columns, names, keyColumn, ...rows, profiles, brokenLines, brokenLineCount }
  }

  return { record, broken, finish }
}

/** Reads the header; every fault of it is one the owner of the file must mend. */
function startBody(file: string, columns: string[], key: string | undefined): Body {
  const refuse = (why: string): never => {
    throw new ConfigError(`${file}: ${why}`)
  }
  const names = columns.map(comparable)
  if (names.some((name) => /\p{Cc}/u.test(name))) {
    refuse('its header holds control characters; save it as CSV with line ends LF or CR LF')
  }
  if (names.length === 1 && /[;\t]/.test(names[0]!)) {
    refuse('its fields are not separated by commas; save it as CSV with commas')
  }
  const empty = names.findIndex((name) => name.trim() === '')
  if (empty !== -1) refuse(`column ${empty + 1} has no name; name every column in the first line`)
  const repeated = names.find((name, index) => names.indexOf(name) !== index)
  if (repeated !== undefined) refuse(`two columns are called ${repeated}; rename one of them`)
  const wanted = key === undefined ? undefined : comparable(key)
  const keyColumn = Math.max(names.indexOf(wanted ?? 'code'), wanted === undefined ? 0 : -1)
  if (keyColumn === -1) {
    refuse(`has no column ${key}; choose the key among ${names.join(', ')}`)
  }
  const profilers = columns.map(() => createColumnProfiler())
  return { columns, names, keyColumn, values: columns.map(() => []), profilers }
}
