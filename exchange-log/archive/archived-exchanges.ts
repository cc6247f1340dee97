import type { StoredRecord } from '../record.ts'
import { listStatement, toSummary } from '../sqlite-queries.ts'
import type { Row } from '../sqlite-rows.ts'
import type { ExchangeSummary, LogQuery } from '../store.ts'
import { openReadOnly } from '../verify/read-only-database.ts'
import { openArchiveSource } from './archive-source.ts'
import { entriesIn } from './archived-records.ts'

/** All records with an exchange id in an archive, oldest first. @throws ConfigError when the file is no archive. */
export async function archivedEntries(file: string, exchangeId: string): Promise<StoredRecord[]> {
  await verifyKind(file)
  using db = openReadOnly(file)
  return entriesIn(db, exchangeId)
}

/** Exchanges in an archive that match, newest first. @throws ConfigError as {@link archivedEntries} does. */
export async function archivedExchanges(file: string, query: LogQuery): Promise<ExchangeSummary[]> {
  await verifyKind(file)
  using db = openReadOnly(file)
  const { sql, parameters } = listStatement(query)
  return db.objects(sql, ...parameters).map((row) => toSummary(row as Row))
}

/** Says what a file is, if it is no archive. */
async function verifyKind(file: string): Promise<void> {
  await openArchiveSource(file)[Symbol.asyncDispose]()
}
