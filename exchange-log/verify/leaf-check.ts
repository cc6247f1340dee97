import { HASH_BYTES, leafHash, sha256 } from '../../protocol/merkle-tree.ts'
import { SALT_BYTES } from '../record.ts'
import type { Finding, Report } from './finding.ts'
import type { CheckedRecord } from './source.ts'

/** A record with the leaf that it would have. */
export interface HashedRecord {
  readonly record: CheckedRecord
  readonly leaf: Buffer
  /** Whether what it says is what its own commitment is of. */
  readonly isCommitted: boolean
}

let input = Buffer.allocUnsafe(65_536)

/** Recomputes commitment and leaf. */
export function hashRecord(record: CheckedRecord): HashedRecord {
  const { text, salt, commitment } = record
  if (text === undefined) return { record, leaf: Buffer.alloc(HASH_BYTES), isCommitted: false }
  const most = SALT_BYTES + text.length * 3 // UTF-8 has at most three bytes for each unit of UTF-16
  if (input.length < most) input = Buffer.allocUnsafe(2 * most)
  input.set(salt.length === SALT_BYTES ? salt : NO_SALT)
  const length = SALT_BYTES + input.write(text, SALT_BYTES)
  const computed = sha256(input.subarray(0, length))
  const isCommitted = salt.length === SALT_BYTES && computed.equals(commitment)
  return { record, leaf: leafHash(computed), isCommitted }
}

const NO_SALT = new Uint8Array(SALT_BYTES)

/** The leaves of the tree around the records in question. */
export interface TreeLeaves {
  /** The hash at an index; undefined behind the tree's end and where tiles lack. */
  at(index: number): Buffer | undefined
  /** Where in the whole tree a leaf stands; slow. */
  find(leaf: Buffer): Promise<number | undefined>
}

/** Compares records with leaves one by one, and names what became of those that are not in their place. */
export interface LeafCheck {
  /** By how much leaves are ahead of positions by now; not 0 once records were removed and others renumbered. */
  readonly shift: number
  /**
   * @param records neighbours, oldest first.
   * @param following those behind them, to tell what was inserted and what was moved.
   */
  compare(
    records: readonly HashedRecord[],
    following: readonly HashedRecord[],
    leaves: TreeLeaves,
  ): Promise<void>
}

/** How far a record may have been moved to be called missing or inserted. */
export const REACH = 256
/** Searches of the whole tree, which cost seconds in a large one. */
const MOST_SEARCHES = 8

export function createLeafCheck(report: Report): LeafCheck {
  let shift = 0
  let searches = 0
  // Inserted records at the end of what was compared last, and on.
  let skipped = 0

  const judge = async (
    records: readonly HashedRecord[],
    k: number,
    leaves: TreeLeaves,
  ): Promise<number> => {
    const { record, leaf, isCommitted } = records[k]!
    const index = record.position - 1 + shift
    const wanted = leaves.at(index)
    if (wanted === undefined) {
      if (!isCommitted) report(alteredFinding(records, k))
      return 1
    }
    if (leaf.equals(wanted)) {
      if (!isCommitted) report(alteredFinding(records, k, 'its commitment was overwritten'))
      return 1
    }
    if (leafHash(record.commitment).equals(wanted)) {
      report(alteredFinding(records, k))
      return 1
    }
    const missing = distance(
      (d) => leaves.at(index + d)?.equals(leaf),
      (d) => {
        const next = records[k + 1]
        return next === undefined || leaves.at(index + d + 1)?.equals(next.leaf) === true
      },
    )
    if (missing !== undefined) {
      report(missingFinding(record.position, missing, 'those behind it were renumbered'))
      shift += missing
      return 1
    }
    const inserted = distance(
      (d) => records[k + d]?.leaf.equals(wanted),
      (d) => {
        const next = records[k + d + 1]
        const after = leaves.at(index + 1)
        return next === undefined ? after === undefined : after?.equals(next.leaf) === true
      },
    )
    if (inserted !== undefined) {
      for (const { record: other } of records.slice(k, k + inserted)) {
        const { position, exchangeId } = other
        const detail = 'the tree has no such record; those behind it were renumbered'
        report({ code: 'record.inserted', position, exchangeId, detail })
      }
      shift -= inserted
      return inserted
    }
    searches += 1
    const home = searches > MOST_SEARCHES ? undefined : await leaves.find(leaf)
    report(home === undefined ? alteredFinding(records, k) : swappedFinding(record, home))
    return 1
  }
  return {
    get shift() {
      return shift
    },
    compare: async (records, following, leaves) => {
      const all = [...records, ...following]
      let k = skipped
      while (k < records.length) k += await judge(all, k, leaves)
      skipped = k - records.length
    },
  }
}

/** The smallest distance at which both hold. */
function distance(
  first: (d: number) => boolean | undefined,
  second: (d: number) => boolean,
): number | undefined {
  for (let d = 1; d <= REACH; d += 1) if (first(d) === true && second(d)) return d
  return undefined
}

/** An altered record that is earlier now than its neighbour before it was back-dated. */
function alteredFinding(records: readonly HashedRecord[], k: number, why?: string): Finding {
  const { record, isCommitted } = records[k]!
  const { position, exchangeId, recordedAt } = record
  const previous = records[k - 1]?.record.recordedAt ?? -Infinity
  const detail =
    why ??
    (isCommitted
      ? 'the record and its commitment were written anew: the tree has another leaf here'
      : 'its commitment is of another text than the record has now')
  if (recordedAt >= previous) return { code: 'record.altered', position, exchangeId, detail }
  const times = `it says ${timeOf(recordedAt)}, and the record before it ${timeOf(previous)}`
  return { code: 'record.back-dated', position, exchangeId, detail: `${detail}; ${times}` }
}

const timeOf = (ms: number): string =>
  Number.isNaN(new Date(ms).getTime()) ? 'no time' : new Date(ms).toISOString()

function swappedFinding({ position, exchangeId }: CheckedRecord, home: number): Finding {
  const detail = `it is the record of position ${home + 1}`
  return { code: 'record.swapped', position, exchangeId, detail }
}

/** @param first position at which records lack. */
export function missingFinding(first: number, count: number, why: string): Finding {
  const lastPosition = first + count - 1
  const which = count === 1 ? 'the record is gone' : `${count} records are gone`
  return {
    code: 'record.missing',
    position: first,
    ...(count === 1 ? {} : { lastPosition }),
    detail: `${which}; ${why}`,
  }
}
