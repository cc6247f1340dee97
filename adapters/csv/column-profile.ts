/** What is true of every value of a column. */
export interface ColumnProfile {
  /** `text` also for a column without any value. */
  readonly shape: 'date' | 'digits' | 'decimal' | 'text'
  /** Number of digits, when `shape` is `digits` and all values have the same. */
  readonly width?: number
  readonly hasEmpty: boolean
  /** Every value of the column, sorted, when there are few of them and they recur. */
  readonly choices?: readonly string[]
  /** Up to three values, sorted: they do not line up with those of other columns to whole rows. */
  readonly examples: readonly string[]
}

export interface ColumnProfiler {
  /** @returns an equal string; the same one for values that recur, so that it is stored once. */
  add(value: string): string
  finish(): ColumnProfile
}

/** Values remembered for each column; a column with more of them is not worth sharing strings. */
const MAX_SEEN = 1000
const MAX_CHOICES = 20
const MAX_EXAMPLE_LENGTH = 100

type Shape = ColumnProfile['shape']
const SHAPES: readonly [Shape, (value: string) => boolean][] = [
  ['date', isDate],
  ['digits', (value) => /^[0-9]+$/.test(value)],
  ['decimal', (value) => /^-?[0-9]+(\.[0-9]+)?$/.test(value)],
  ['text', () => true],
]

export function createColumnProfiler(): ColumnProfiler {
  const seen = new Map<string, string>()
  const widths = new Set<number>()
  let shapes = SHAPES
  let count = 0
  let overflow = false
  let hasEmpty = false
  let hasValue = false

  return {
    add(value) {
      count++
      const shared = seen.get(value)
      if (shared !== undefined) return shared
      if (seen.size < MAX_SEEN) seen.set(value, value)
      else overflow = true
      if (value === '') hasEmpty = true
      else {
        hasValue = true
        if (shapes.length > 1) shapes = shapes.filter(([, fits]) => fits(value))
        if (widths.size < 2) widths.add(value.length)
      }
      return value
    },
    finish() {
      const shape = hasValue ? shapes[0]![0] : 'text'
      const sorted = [...seen.keys()].toSorted()
      const recur = !overflow && sorted.length <= MAX_CHOICES && count >= 2 * sorted.length
      const short = sorted.filter((v) => v !== '' && v.length <= MAX_EXAMPLE_LENGTH)
      const picked = [short[0], short[short.length >> 1], short.at(-1)]
      const [width] = widths
      return {
        shape,
        ...(shape === 'digits' && widths.size === 1 && width !== undefined ? { width } : {}),
        hasEmpty,
        ...(recur && hasValue ? { choices: sorted } : {}),
        examples: [...new Set(picked.filter((value) => value !== undefined))],
      }
    },
  }
}

/** A full date of RFC 3339 §5.6 that the calendar has. */
function isDate(value: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(value)) return false
  const date = new Date(`${value}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(value)
}
