/** From a row of the database to what is committed to, at the speed of the disk. */
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
  return typeof value === 'number' && Number.isSafeInteger(value) ? `${value}` : undefined
}

let knownSecond = NaN
let knownText = ''

/** Neighbours are often of one second: all but the milliseconds is written once for each. */
function timeText(value: unknown): string | undefined {
  const ms = Number(value)
  const second = Math.floor(ms / 1000)
  if (second !== knownSecond) {
    const at = new Date(ms)
    if (Number.isNaN(at.getTime())) return undefined
    const text = at.toISOString()
    if (ms < 0 || text.length !== 24) return `"${text}"` // a year before 1970 or beyond 9999
    knownSecond = second
    knownText = `"${text.slice(0, 20)}`
  }
  const rest = ms - second * 1000
  return `${knownText}${rest < 10 ? '00' : rest < 100 ? '0' : ''}${rest}Z"`
}
