/** Exchanges as lines of text: NDJSON, which is exact, and CSV (RFC 4180), which spreadsheets open. */
import type { ExchangeSummary } from './store.ts'
import { SUMMARY_COLUMNS } from './summary-columns.ts'

export const EXPORT_FORMATS = {
  ndjson: 'application/x-ndjson; charset=utf-8',
  csv: 'text/csv; charset=utf-8; header=present',
} as const
export type ExportFormat = keyof typeof EXPORT_FORMATS

type Cell = string | number | Date | undefined
/** Of the store, or as JSON has it. */
export type ExchangeLine = { readonly [C in (typeof SUMMARY_COLUMNS)[number]]?: Cell }

/** With a byte order mark, without which spreadsheets read Khmer in a code page of their own. */
export const CSV_HEAD = `\ufeff${SUMMARY_COLUMNS.join(',')}\r\n`

export function csvLine(exchange: ExchangeLine): string {
  return `${SUMMARY_COLUMNS.map((column) => csvCell(exchange[column])).join(',')}\r\n`
}

/**
 * What a stranger sent must not be a formula in the spreadsheet of who reads it: a text that would be taken
 * for one begins with an apostrophe here. Full-width signs are read as their ASCII forms by some programs.
 */
function csvCell(value: Cell): string {
  if (value === undefined) return ''
  if (typeof value === 'number') return String(value)
  if (value instanceof Date) return value.toISOString()
  const text = /^[\s\p{Cf}]*[=+\-@＝＋－＠]|^[\t\r\n]/u.test(value) ? `'${value}` : value
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

export function ndjsonLine(exchange: ExchangeSummary): string {
  return `${JSON.stringify(exchange)}\n`
}
