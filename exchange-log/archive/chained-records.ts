import type { CheckedRecord, RecordSource } from '../verify/source.ts'
import type { ArchiveSource } from './archive-source.ts'

/**
 * A log with its archives before it, as if nothing had left it.
 *
 * @param keysIn positions after one up to another whose key is still in the log.
 */
export function chainRecords(
  live: RecordSource,
  archives: readonly ArchiveSource[],
  keysIn: (after: number, upTo: number) => Promise<ReadonlySet<number>>,
): RecordSource {
  const sorted = archives.toSorted((a, b) => a.range.first - b.range.first)
  return {
    ...live,
    extent: async () => {
      const { first, last } = await live.extent()
      return { first: Math.min(first, ...sorted.map(({ range }) => range.first)), last }
    },
    records: async (after, upTo) => {
      const { first } = await live.extent()
      const found: CheckedRecord[] = []
      for (const { range, records } of sorted) {
        const until = Math.min(upTo, range.last, first - 1)
        if (until > after && range.first <= upTo)
          found.push(...(await records.records(after, until)))
      }
      found.push(...(await live.records(after, upTo)))
      return found
    },
    next: async (after) => {
      const all = [live, ...sorted.map(({ records }) => records)]
      const next = await Promise.all(all.map((source) => source.next(after)))
      const known = next.filter((position) => position !== undefined)
      return known.length === 0 ? undefined : Math.min(...known)
    },
    contents: async (after, upTo) => {
      const found = new Map(await live.contents(after, upTo))
      const keys = await keysIn(after, upTo)
      for (const { range, records } of sorted) {
        if (range.last <= after || range.first > upTo) continue
        for (const [position, { parts }] of await records.contents(after, upTo)) {
          if (!found.has(position)) found.set(position, { hasKey: keys.has(position), parts })
        }
      }
      return found
    },
    // The key is in the log, the rest in the archive.
    content: async (record) => {
      const found = await live.content(record)
      const archive = sorted.find(
        ({ range }) => record.position >= range.first && record.position <= range.last,
      )
      if (found === undefined || archive === undefined) return found
      return { ...found, part: async (part) => archive.part(record.position, part) }
    },
    // An erasure may have been archived itself, later than what it erased.
    isErased: async (record) => {
      for (const source of [live, ...sorted.map(({ records }) => records)]) {
        if (await source.isErased(record)) return true
      }
      return false
    },
  }
}
