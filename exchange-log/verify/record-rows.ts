/** What rows say of records, whatever database they are from. */
import type { Keeping } from '../record.ts'
import type { ErasureEvent } from './erasures.ts'
import { CANONICAL_COLUMNS, rowText } from './row-text.ts'
import type { CheckedRecord, KeptContent } from './source.ts'

/** Index of the first of {@link CANONICAL_COLUMNS} in a row: before it are position, salt and commitment. */
export const FIRST = 3
export const columnOf = (name: (typeof CANONICAL_COLUMNS)[number]): number =>
  FIRST + CANONICAL_COLUMNS.indexOf(name)

const EXCHANGE_ID = columnOf('exchangeId')
const KIND = columnOf('kind')
const RECORDED_AT = columnOf('recordedAt')
const KEPT = columnOf('kept')
const MANIFEST = columnOf('manifest')
const DETAIL = columnOf('detail')

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined

/** @param isWritten whether a gateway would have written the values as they are stored. */
export function toCheckedRecord(
  row: readonly unknown[],
  salt: Buffer,
  commitment: Buffer,
  isWritten = true,
): CheckedRecord {
  return {
    position: row[0] as number,
    salt,
    commitment,
    text: isWritten ? rowText(row, FIRST) : undefined,
    exchangeId: String(row[EXCHANGE_ID]),
    kind: String(row[KIND]),
    recordedAt: Number(row[RECORDED_AT]),
    kept: textOf(row[KEPT]) as Keeping | undefined,
    manifest: textOf(row[MANIFEST]),
    detail: textOf(row[DETAIL]),
  }
}

/** @param row the last position that was given or is there, whichever is more, and the first that is there. */
export function toExtent([last, first]: readonly unknown[]): { first: number; last: number } {
  return { last: Number(last), first: first === null ? Number(last) + 1 : Number(first) }
}

/** @param row of one position, or null. */
export const toNext = ([position]: readonly unknown[]): number | undefined =>
  position === null ? undefined : Number(position)

/** @param rows position, whether its key is there, and the parts of its content. */
export function toContents(rows: readonly (readonly unknown[])[]): Map<number, KeptContent> {
  return new Map(
    rows.map(([position, hasKey, parts]) => [
      Number(position),
      { hasKey: Boolean(hasKey), parts: Number(parts) },
    ]),
  )
}

/** @param rows position and detail of each. */
export function toErasures(rows: readonly (readonly unknown[])[]): ErasureEvent[] {
  return rows.map(([position, detail]) => ({ position: Number(position), detail: String(detail) }))
}
