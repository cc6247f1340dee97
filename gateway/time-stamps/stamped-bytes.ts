/** The bytes that a time-stamp of the exchange log is about: docs/time-stamps.md, "What is stamped". */
import { createHash } from 'node:crypto'
import { canonicalJson } from '../../protocol/canonical-json.ts'
import type { ExchangeLogStore, StoredEntry } from '../exchange-log/store.ts'

export type LogReader = Pick<ExchangeLogStore, 'after'>

export interface StampedRange {
  readonly gatewayId: string
  /** Positions, both included. */
  readonly first: number
  readonly last: number
  /** The token before this one, DER; undefined for the first. */
  readonly previous: Uint8Array | undefined
}

/** The part of the log that the next token covers. */
export interface Batch {
  readonly first: number
  readonly last: number
  readonly lines: readonly string[]
  /** When its oldest record was made. */
  readonly oldestAt: Date
}

/** Records of one query: their manifests are in memory until they are hashed. */
const PAGE = 500

/** Reads at most `most` records behind `position`; undefined when there is none. @throws LogStoreError */
export async function readBatch(
  log: LogReader,
  position: number,
  most: number,
): Promise<Batch | undefined> {
  const lines: string[] = []
  let last = position
  let oldestAt: Date | undefined
  while (lines.length < most) {
    const entries = await log.after(last, Math.min(PAGE, most - lines.length))
    const newest = entries.at(-1)
    if (newest === undefined) break
    lines.push(...entries.map(lineOf))
    last = newest.position
    oldestAt ??= entries[0]!.at
  }
  return oldestAt && { first: position + 1, last, lines, oldestAt }
}

/** Reads the same lines again, long after. @throws LogStoreError */
export async function readLines(log: LogReader, first: number, last: number): Promise<string[]> {
  const lines: string[] = []
  for (let position = first - 1; position < last;) {
    const entries = await log.after(position, PAGE)
    if (entries.length === 0) break
    lines.push(...entries.filter((entry) => entry.position <= last).map(lineOf))
    position = entries.at(-1)!.position
  }
  return lines
}

export function stampedBytes(range: StampedRange, lines: readonly string[]): Buffer {
  const { gatewayId, first, last, previous } = range
  const header = [
    'spean-log-stamp 1',
    `gateway ${gatewayId}`,
    `records ${first} ${last}`,
    `previous ${previous === undefined ? '-' : digestOf(previous)}`,
  ]
  return Buffer.from([...header, ...lines].map((line) => `${line}\n`).join(''))
}

/** A signed manifest stands for its record; a record without one is hashed as its JSON (RFC 8785). */
function lineOf(entry: StoredEntry): string {
  const record = entry.manifest ?? canonicalJson({ ...entry, at: entry.at.toISOString() })
  return `${entry.position}:${digestOf(record)}`
}

function digestOf(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64url')
}
