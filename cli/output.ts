import { stripVTControlCharacters } from 'node:util'

/** Prints rows for people: columns aligned, by the width that a terminal gives each character. */
export function printTable(
  headings: readonly string[],
  rows: readonly (readonly unknown[])[],
): void {
  const cells = [headings, ...rows].map((row) => row.map(toCell))
  const widths = headings.map((_, i) => Math.max(...cells.map((row) => displayWidth(row[i] ?? ''))))
  for (const row of cells) {
    const line = row.map((cell, i) =>
      i === row.length - 1 ? cell : cell + ' '.repeat((widths[i] ?? 0) - displayWidth(cell)),
    )
    console.log(line.join('  ').trimEnd())
  }
}

/** Prints one thing for people: a line for each of its members. */
export function printRecord(record: Readonly<Record<string, unknown>>): void {
  const entries = Object.entries(record).filter(([, value]) => value !== undefined)
  const width = Math.max(0, ...entries.map(([name]) => name.length))
  for (const [name, value] of entries) console.log(`${name.padEnd(width)}  ${toCell(value)}`)
}

/** Prints a line of text, made safe like a cell of a table; it may begin with an empty line. */
export function printLine(text: string): void {
  const [, empty = '', rest = ''] = /^(\n*)(.*)$/s.exec(text) ?? []
  console.log(empty + toCell(rest))
}

/** Prints for programs: one JSON document, whole. */
export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, undefined, 2))
}

function toCell(value: unknown): string {
  if (value === undefined || value === null) return '-'
  const text = isTexts(value)
    ? value.join(', ')
    : typeof value === 'string'
      ? value
      : JSON.stringify(value)
  // What a stranger sent must not steer the terminal of whoever reads the log, nor turn its letters around.
  return stripVTControlCharacters(text).replace(/\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')

/** Khmer and Lao vowels and signs stand above, below or before another letter: they take no cell. */
function displayWidth(text: string): number {
  return Array.from(text.replace(/\p{Mn}/gu, '')).length
}
