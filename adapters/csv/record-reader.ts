import { isUtf8 } from 'node:buffer'
import { CsvError } from 'csv-parse'
import { parse } from 'csv-parse/sync'

export interface RecordSink {
  /** @param line number of the record's first line in the file, from 1. */
  record(line: number, fields: string[]): void
  /** @param why what is wrong, without any value of the file. */
  broken(line: number, why: string): void
}

/** Takes the bytes of a CSV file in pieces of any size and hands on records in their order. */
export interface RecordReader {
  push(chunk: Buffer): void
  end(): void
}

interface Line {
  /** With its line end. */
  readonly bytes: Buffer
  readonly quotes: number
}
interface Span {
  readonly from: number
  readonly to: number
}

/** Longer records are taken for a quote that nobody closed. */
const MAX_RECORD_BYTES = 1024 * 1024
const MAX_BATCH = 1000
const LF = 0x0a
const QUOTE = 0x22
const BOM = Buffer.from([0xef, 0xbb, 0xbf])

/**
 * Records are found by counting quotes: a record goes on to the next line as long as the number is
 * odd (RFC 4180 §2.5 to 2.7). csv-parse then reads many records at once. A record that it refuses
 * costs its first line only: reading goes on at the next, so that one forgotten quote does not take
 * the rest of the file along.
 */
export function createRecordReader(sink: RecordSink): RecordReader {
  let rest: Buffer = Buffer.alloc(0)
  let started = false
  let lines: Line[] = []
  let lineNumber = 1
  let batchSize = MAX_BATCH

  function drain(ended: boolean): void {
    let at = 0
    while (at < lines.length) {
      if (isBlank(lines[at]!)) {
        at++
        continue
      }
      const spans = findRecords(lines, at, batchSize)
      if (typeof spans === 'string') {
        if (spans === 'open' && !ended) break
        sink.broken(lineNumber + at, 'opens a quote that is not closed, or is longer than 1 MiB')
        at++
        continue
      }
      const records = parseSpans(lines, spans)
      if (records !== undefined) {
        spans.forEach(({ from }, index) => sink.record(lineNumber + from, records[index]!))
        at = spans.at(-1)!.to
        batchSize = Math.min(batchSize * 2, MAX_BATCH)
      } else if (batchSize > 1) {
        batchSize = 1
      } else {
        at = refuse(spans[0]!)
      }
    }
    lineNumber += at
    lines = lines.slice(at)
  }

  /** Reports a record that cannot be read and says where to go on. */
  function refuse({ from, to }: Span): number {
    for (let index = from; index < to; index++) {
      if (isUtf8(lines[index]!.bytes)) continue
      sink.broken(lineNumber + index, 'is not valid UTF-8')
      return tryParse(spanBytes(lines, [{ from, to }])) === undefined ? from + 1 : to
    }
    sink.broken(lineNumber + from, 'has a quote where none may stand (RFC 4180 §2.5 to 2.7)')
    return from + 1
  }

  return {
    push(chunk) {
      const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
      if (!started && bytes.length < BOM.length) {
        rest = bytes
        return
      }
      let from = started || !bytes.subarray(0, BOM.length).equals(BOM) ? 0 : BOM.length
      started = true
      for (let end = bytes.indexOf(LF, from); end !== -1; end = bytes.indexOf(LF, from)) {
        lines.push(toLine(bytes.subarray(from, end + 1)))
        from = end + 1
      }
      // An endless line is cut, yet stays too long to be taken for a record.
      rest = bytes.subarray(from, from + MAX_RECORD_BYTES + 1)
      drain(false)
    },
    end() {
      if (rest.length > 0) lines.push(toLine(rest))
      rest = Buffer.alloc(0)
      drain(true)
    },
  }
}

function toLine(bytes: Buffer): Line {
  let quotes = 0
  for (let at = bytes.indexOf(QUOTE); at !== -1; at = bytes.indexOf(QUOTE, at + 1)) quotes++
  return { bytes, quotes }
}

/** Empty lines between records are no records. */
function isBlank({ bytes }: Line): boolean {
  return bytes.length <= 2 && bytes.toString('latin1').trim() === ''
}

/** Up to `max` complete records from line `at` on, at least one, or why there is none. */
function findRecords(
  lines: readonly Line[],
  at: number,
  max: number,
): Span[] | 'open' | 'overlong' {
  const spans: Span[] = []
  let from = at
  while (from < lines.length && spans.length < max) {
    const to = isBlank(lines[from]!) ? undefined : recordEnd(lines, from)
    if (typeof to === 'string') return spans.length > 0 ? spans : to
    if (to !== undefined) spans.push({ from, to })
    from = to ?? from + 1
  }
  return spans
}

function recordEnd(lines: readonly Line[], from: number): number | 'open' | 'overlong' {
  let quotes = 0
  let length = 0
  for (let index = from; index < lines.length; index++) {
    quotes += lines[index]!.quotes
    length += lines[index]!.bytes.length
    if (length > MAX_RECORD_BYTES) return 'overlong'
    if (quotes % 2 === 0) return index + 1
  }
  return 'open'
}

function spanBytes(lines: readonly Line[], spans: readonly Span[]): Buffer {
  return Buffer.concat(
    spans.flatMap(({ from, to }) => lines.slice(from, to).map(({ bytes }) => bytes)),
  )
}

/** One list of fields for each span, or undefined if any of them cannot be read. */
function parseSpans(lines: readonly Line[], spans: readonly Span[]): string[][] | undefined {
  const bytes = spanBytes(lines, spans)
  if (!isUtf8(bytes)) return undefined
  const records = tryParse(bytes)
  return records?.length === spans.length ? records : undefined
}

function tryParse(bytes: Buffer): string[][] | undefined {
  try {
    // The number of fields is compared with the header by the reader of the table.
    return parse(bytes, { relax_column_count: true, record_delimiter: ['\r\n', '\n'] })
  } catch (error) {
    if (error instanceof CsvError) return undefined
    throw error
  }
}
