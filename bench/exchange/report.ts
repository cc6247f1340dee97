/** Figures of several rounds, as one row, and rows as a table. */
import type { Load, Measured } from './measure.ts'

/** The median of the rounds, with the lowest and the highest. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}
export interface Summary {
  readonly throughput: Spread
  readonly p50: Spread
  readonly p95: Spread
  readonly p99: Spread
  readonly failed: Readonly<Record<string, number>>
  readonly cpu: Readonly<Record<string, number>>
  readonly memory: Readonly<Record<string, number>>
}
export interface Row extends Summary, Load {
  readonly path: string
}

export function summarise(rounds: readonly Measured[]): Summary {
  const over = (pick: (one: Measured) => number): Spread => spread(rounds.map(pick))
  const byProcess = (pick: (one: Measured) => Readonly<Record<string, number>>) =>
    Object.fromEntries(
      Object.keys(rounds[0] ? pick(rounds[0]) : {}).map((name) => [
        name,
        over((one) => pick(one)[name] ?? NaN).median,
      ]),
    )
  const failed: Record<string, number> = {}
  for (const [outcome, times] of rounds.flatMap((one) => Object.entries(one.failed))) {
    failed[outcome] = (failed[outcome] ?? 0) + times
  }
  return {
    throughput: over((one) => one.throughput),
    p50: over((one) => one.p50),
    p95: over((one) => one.p95),
    p99: over((one) => one.p99),
    failed,
    cpu: byProcess((one) => one.cpu),
    memory: byProcess((one) => one.memory),
  }
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (index: number): number => sorted[index] ?? NaN
  const middle = (sorted.length - 1) / 2
  const median = (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2
  return { median, min: at(0), max: at(sorted.length - 1) }
}

const HEADINGS = ['path', 'calls/s', '(min–max)', 'p50 ms', 'p95 ms', 'p99 ms', 'CPU µs', 'failed']

/** For people: a block for each load. */
export function tableOf(rows: readonly Row[]): string {
  const blocks = Map.groupBy(rows, ({ bytes, connections }) => `${bytes}/${connections}`)
  return [...blocks.values()].map(blockOf).join('\n')
}

function blockOf(rows: readonly Row[]): string {
  const [first] = rows
  const ms = (micros: number): string => (micros / 1000).toFixed(2)
  const cells = rows.map((row) => [
    row.path,
    row.throughput.median.toFixed(0),
    `${row.throughput.min.toFixed(0)}–${row.throughput.max.toFixed(0)}`,
    ms(row.p50.median),
    ms(row.p95.median),
    ms(row.p99.median),
    Object.entries(row.cpu)
      .map(([name, micros]) => `${name} ${micros}`)
      .join(', '),
    Object.entries(row.failed)
      .map(([outcome, times]) => `${times} × ${outcome}`)
      .join(', '),
  ])
  const all = [HEADINGS, ...cells]
  const widths = HEADINGS.map((_, i) => Math.max(...all.map((row) => (row[i] ?? '').length)))
  const lines = all.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  const title = `${first?.bytes} bytes each way, ${first?.connections} connections`
  return [title, ...lines, ''].join('\n')
}
