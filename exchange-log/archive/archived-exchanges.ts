import type { StoredRecord } from '../record.ts'
import { COLUMNS, toRecord, type Row } from '../sqlite-rows.ts'
import { openReadOnly } from '../verify/read-only-database.ts'
import { openArchiveSource } from './archive-source.ts'

const NAMES = ['position', 'salt', 'commitment', ...COLUMNS]

/** All records with an exchange id in an archive, oldest first. @throws ConfigError when the file is no archive. */
export function archivedEntries(file: string, exchangeId: string): StoredRecord[] {
  void openArchiveSource(file)[Symbol.asyncDispose]() // says what the file is, if it is none
  using db = openReadOnly(file)
  return db
    .rows(
      `SELECT ${NAMES.join(', ')} FROM record WHERE exchangeId = ? ORDER BY position`,
      exchangeId,
    )
    .map((values) => toRecord(Object.fromEntries(NAMES.map((name, i) => [name, values[i]])) as Row))
}
