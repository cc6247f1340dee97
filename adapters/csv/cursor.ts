import { Refusal } from './refusal.ts'
import type { Table } from './table.ts'

/** @param row first row of the next page. */
export function formatCursor({ version }: Table, row: number): string {
  return Buffer.from(`${version}:${row}`).toString('base64url')
}

/**
 * @param cursor set by the caller.
 * @returns the row at which the page begins.
 * @throws Refusal `cursor.malformed` (400), or `cursor.outdated` (410) when it is one of another
 *   version of the file, whose rows have other numbers.
 */
export function parseCursor({ version, rowCount }: Table, cursor: string): number {
  const text = Buffer.from(cursor, 'base64url').toString('latin1')
  const [, itsVersion, digits] = /^([0-9a-f]{16}):(0|[1-9]\d{0,9})$/.exec(text) ?? []
  // base64url has many spellings of one text; only ours was given out.
  if (Buffer.from(text).toString('base64url') !== cursor || itsVersion === undefined) {
    throw new Refusal('cursor.malformed', 'the cursor is not one that a page of this list gave')
  }
  if (itsVersion !== version) {
    throw new Refusal('cursor.outdated', 'begin the list again, without a cursor')
  }
  if (Number(digits) >= rowCount) {
    throw new Refusal('cursor.malformed', 'the cursor points behind the last row')
  }
  return Number(digits)
}
