import type { RecordSource } from './source.ts'

/** Rows of one look at a place where positions may be empty. */
const NEAR = 64

/**
 * The first position of which the record was recorded at a time or later; behind the last one when none was.
 * Recording times rise with positions, but for those of a clock that was set back.
 */
export async function positionAt(records: RecordSource, at: Date): Promise<number> {
  const { first, last } = await records.extent()
  let low = first
  let high = last + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const [record] = await records.records(middle - 1, Math.min(middle - 1 + NEAR, high - 1))
    if (record === undefined || record.recordedAt >= at.getTime()) high = middle
    else low = record.position + 1
  }
  return low
}
