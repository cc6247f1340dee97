/** From a row of the database to what is committed to, at the speed of the disk. */
import { canonicalJson } from '../../protocol/canonical-json.ts'
import { COLUMNS } from '../sqlite-rows.ts'

/** The columns in the order of canonical JSON (RFC 8785 §3.2.3). */
export const CANONICAL_COLUMNS = [...COLUMNS].sort()
const NAMES = CANONICAL_COLUMNS.map((column) => `${JSON.stringify(column)}:`)
const IS_TIME = CANONICAL_COLUMNS.map((column) => column === 'at' || column === 'recordedAt')

/**
 * The same text as `recordText` of the record in a row, without making that record.
 *
 * @param row values of {@link CANONICAL_COLUMNS} from `start` on.
 * @returns undefined for a row of which no record can be made.
 */
export function rowText(row: readonly unknown[], start: number): string | undefined {
  let text = ''
  for (let i = 0; i < NAMES.length; i += 1) {
    const value = row[start + i]
    if (value === null) continue
    const shown = IS_TIME[i] ? timeText(value) : valueText(value)
    if (shown === undefined) return undefined
    text += text === '' ? `{${NAMES[i]}${shown}` : `,${NAMES[i]}${shown}`
  }
  return `${text}}`
}

function valueText(value: unknown): string | undefined {
  if (typeof value === 'string') return JSON.stringify(value)
  return typeof value === 'number' && Number.isSafeInteger(value) ? canonicalJson(value) : undefined
}

function timeText(value: unknown): string | undefined {
  const at = new Date(Number(value))
  return Number.isNaN(at.getTime()) ? undefined : `"${at.toISOString()}"`
}
