import type { Database } from '../runtime/sqlite-database.ts'
import { LANGUAGES, readEntry, type ServiceEntry } from './service-entry.ts'

/** Puts the entry of a service in place of the one before, and makes it be found. */
export function storeEntry(db: Database, service: string, entry: ServiceEntry): void {
  db.run(
    `INSERT INTO service_entry (service, entry) VALUES (?, ?)
     ON CONFLICT (service) DO UPDATE SET entry = excluded.entry`,
    service,
    JSON.stringify(entry),
  )
  indexService(db, service)
}

/** To be called whenever title or entry change. */
export function indexService(db: Database, service: string): void {
  db.run(
    `INSERT INTO service_entry (service, entry) VALUES (?, '{}') ON CONFLICT DO NOTHING`,
    service,
  )
  const { number, title } = db.get<{ number: number; title: string }>(
    'SELECT number, title FROM service_entry JOIN service ON id = service WHERE service = ?',
    service,
  )!
  const entry = readEntry(db, service)
  const [en = '', km = '', lo = ''] = LANGUAGES.map((language) =>
    [entry.titles?.[language], entry.descriptions?.[language]].join(' ').trim(),
  )
  const other = [service, title, entry.owner?.name, ...(entry.purposes ?? [])]
  db.run('DELETE FROM service_search WHERE rowid = ?', number)
  db.run(
    'INSERT INTO service_search (rowid, en, km, lo, other) VALUES (?, ?, ?, ?, ?)',
    number,
    ...[en, km, lo, [...other, ...(entry.dataSources ?? [])].join(' ')].map((t) =>
      t.normalize('NFC'),
    ),
  )
}
