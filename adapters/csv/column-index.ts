import { setImmediate } from 'node:timers/promises'
import { comparable } from './table.ts'

/**
 * Finds the rows of a column by value. Each distinct value has a number; the rows of value `v` are
 * `rows.subarray(offsets[v], offsets[v + 1])`, ascending.
 */
export interface ColumnIndex {
  readonly numberOf: ReadonlyMap<string, number>
  readonly valueOfRow: Uint32Array
  readonly offsets: Uint32Array
  readonly rows: Uint32Array
}

/** Work between two turns of the event loop: a few milliseconds. */
const SLICE = 8192

export async function buildColumnIndex(values: readonly string[]): Promise<ColumnIndex> {
  const numberOf = new Map<string, number>()
  const valueOfRow = new Uint32Array(values.length)
  for (let row = 0; row < values.length; row++) {
    if (row % SLICE === 0) await setImmediate()
    const value = comparable(values[row]!)
    const known = numberOf.get(value)
    if (known === undefined) numberOf.set(value, numberOf.size)
    valueOfRow[row] = known ?? numberOf.size - 1
  }
  const offsets = new Uint32Array(numberOf.size + 1)
  for (const value of valueOfRow) offsets[value + 1]!++
  for (let value = 0; value < numberOf.size; value++) offsets[value + 1]! += offsets[value]!
  const rows = new Uint32Array(values.length)
  const free = offsets.slice()
  valueOfRow.forEach((value, row) => (rows[free[value]!++] = row))
  return { numberOf, valueOfRow, offsets, rows }
}

/** The distinct values in the order of their UTF-16 code units. */
export async function sortValues(index: ColumnIndex): Promise<readonly string[]> {
  const values = [...index.numberOf.keys()]
  let runs: string[][] = []
  for (let from = 0; from < values.length; from += SLICE) {
    runs.push(values.slice(from, from + SLICE).toSorted())
    await setImmediate()
  }
  while (runs.length > 1) {
    const merged: string[][] = []
    for (let at = 0; at < runs.length; at += 2) {
      merged.push(await mergeRuns(runs[at]!, runs[at + 1] ?? []))
    }
    runs = merged
  }
  return runs[0] ?? []
}

async function mergeRuns(left: readonly string[], right: readonly string[]): Promise<string[]> {
  const merged: string[] = []
  let l = 0
  let r = 0
  while (l < left.length || r < right.length) {
    if (merged.length % SLICE === 0) await setImmediate()
    const takeLeft = r === right.length || (l < left.length && left[l]! < right[r]!)
    merged.push(takeLeft ? left[l++]! : right[r++]!)
  }
  return merged
}

/** @param sorted as `sortValues` gives it: what begins alike stands together. */
export function valuesWithPrefix(sorted: readonly string[], prefix: string): readonly string[] {
  const from = firstIndex(sorted, (value) => value >= prefix)
  const to = firstIndex(sorted, (value) => value >= prefix && !value.startsWith(prefix))
  return sorted.slice(from, to)
}

/** Position of the first value for which `holds`; it holds for all after it as well. */
function firstIndex(sorted: readonly string[], holds: (value: string) => boolean): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(sorted[middle]!)) high = middle
    else low = middle + 1
  }
  return low
}
