import type { LogRecord } from './record.ts'

/** The columns of a record that are committed to, with their types in PostgreSQL. */
export const RECORD_COLUMNS = {
  exchangeId: 'text',
  side: 'text',
  kind: 'text',
  begunAt: 'bigint',
  at: 'timestamptz',
  recordedAt: 'timestamptz',
  client: 'text',
  service: 'text',
  method: 'text',
  target: 'text',
  messageId: 'text',
  userId: 'text',
  issue: 'text',
  representedParty: 'text',
  purpose: 'text',
  peer: 'text',
  manifest: 'text',
  kept: 'text',
  bodyBytes: 'bigint',
  status: 'integer',
  code: 'text',
  origin: 'text',
  detail: 'text',
  actor: 'text',
} as const satisfies Record<keyof LogRecord, string>

const REQUIRED: readonly string[] = ['exchangeId', 'kind', 'at', 'recordedAt']

/** What a record takes beside: its salt, its commitment, and the owner of its content when that was staged. */
const OTHER_COLUMNS = { salt: 'bytea', commitment: 'bytea', staged: 'bigint' } as const

/** All columns but the position, in the order of the parameters of `spean.append`. */
export const STORED_COLUMNS: readonly (readonly [name: string, type: string])[] = Object.entries({
  ...OTHER_COLUMNS,
  ...RECORD_COLUMNS,
})

/** Texts are compared byte by byte, whatever the locale of the database: so an index finds prefixes, too. */
export const columnDefinitions = STORED_COLUMNS.map(([name, type]) => {
  const collation = type === 'text' ? ' COLLATE "C"' : ''
  const isRequired = REQUIRED.includes(name) || name === 'salt' || name === 'commitment'
  return `"${name}" ${type}${collation}${isRequired ? ' NOT NULL' : ''}`
}).join(',\n  ')

export const quotedColumns = STORED_COLUMNS.map(([name]) => `"${name}"`).join(', ')
