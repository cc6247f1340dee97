import type { ColumnProfile } from './column-profile.ts'

export interface BrokenLine {
  readonly line: number
  readonly why: string
}

/** One version of the file, in memory. Rows have the order of the file and numbers from 0. */
export interface Table {
  /** Made from the content: the same file has the same version after a restart. 16 hex digits. */
  readonly version: string
  /** Names as in the header. */
  readonly columns: readonly string[]
  /** The same, `comparable`. */
  readonly names: readonly string[]
  /** Position of the key among the columns. */
  readonly keyColumn: number
  readonly rowCount: number
  /** Values as in the file, by column, then by row. */
  readonly values: readonly (readonly string[])[]
  /** Row number by `comparable` key. */
  readonly rowByKey: ReadonlyMap<string, number>
  readonly profiles: readonly ColumnProfile[]
  /** The first 100. */
  readonly brokenLines: readonly BrokenLine[]
  readonly brokenLineCount: number
}

/** The form in which names, keys and values are compared: Unicode NFC. */
export function comparable(text: string): string {
  return text.normalize('NFC')
}

/**
 * A row as a JSON object in the order of the header. Written by hand: an object would move a column
 * called `2024` to the front and lose one called `__proto__`.
 */
export function rowToJson({ columns, values }: Table, row: number): string {
  const members = columns.map(
    (name, column) => `${JSON.stringify(name)}:${JSON.stringify(values[column]![row])}`,
  )
  return `{${members.join(',')}}`
}
