/** Changes to a log in PostgreSQL, as the owner of its tables can make them, who has all rights. */
import { escapeIdentifier } from 'pg'
import { openLogStores, type LogStores } from '../../exchange-log/open-log.ts'
import { commitmentOf, recordText, type LogRecord } from '../../exchange-log/record.ts'
import type { LogKey } from '../../exchange-log/integrator.ts'
import { openPostgresSource } from '../../exchange-log/verify/postgres-source.ts'
import {
  verifyLog,
  type VerifyOptions,
  type VerifyResult,
} from '../../exchange-log/verify/verify-log.ts'
import { HASH_BYTES, TILE_WIDTH } from '../../protocol/merkle-tree.ts'
import { writePrivateFile } from '../../runtime/private-file.ts'
import { toPlain } from '../contract/exchange-log-entries.ts'
import type { TestTsa } from '../pki/tsp-support.ts'
import { OWNER, ROLE, type PostgresServer } from '../support/postgres.ts'
import { temporaryDirectory } from './tree-support.ts'
import { fillLog } from './verify-support.ts'

export const READER = 'log_reader'

export interface PostgresLog {
  readonly database: string
  readonly key: LogKey
}

/** The stores of a gateway on a database. */
export async function openStores(server: PostgresServer, database: string): Promise<LogStores> {
  using folder = temporaryDirectory()
  const postgresUrlFile = `${folder.dir}/postgres.url`
  writePrivateFile(postgresUrlFile, `${server.url(ROLE, database)}\n`)
  return await openLogStores({ stateDir: folder.dir, maxBytes: 2 ** 32, postgresUrlFile })
}

/** Writes a log with a checkpoint at each of some sizes, and a time-stamp over the last but one. */
export async function writePostgresLog(
  server: PostgresServer,
  sizes: readonly number[],
  tsa: TestTsa,
): Promise<PostgresLog> {
  const database = await server.newLog()
  await using stores = await openStores(server, database)
  using folder = temporaryDirectory()
  return { database, key: await fillLog(stores, { folder: folder.dir, sizes, tsa }) }
}

export async function verify(
  server: PostgresServer,
  { database, key }: PostgresLog,
  options: Partial<VerifyOptions> = {},
): Promise<VerifyResult> {
  await using source = await openPostgresSource(server.url(READER, database))
  return await verifyLog(source, { logKey: key.verifier, ...options })
}

/** Runs statements as the owner of a database's tables. */
export type Sql = (text: string) => Promise<Record<string, unknown>[]>
export const ownerOf =
  (server: PostgresServer, database: string): Sql =>
  (text) =>
    server.run(text, database, OWNER)

const literal = (value: string | number | Buffer | Date): string => {
  if (Buffer.isBuffer(value)) return `'\\x${value.toString('hex')}'`
  if (value instanceof Date) return `'${value.toISOString()}'`
  return typeof value === 'number' ? String(value) : `'${value.replaceAll("'", "''")}'`
}

/** Puts a record at a position that is free, with a commitment to what it says. */
export async function insertRecord(
  sql: Sql,
  position: number,
  record: LogRecord & { readonly salt: Buffer },
): Promise<void> {
  const { salt, ...plain } = record
  const commitment = commitmentOf(salt, recordText(plain))
  const columns = { position, salt, commitment, ...plain }
  const names = Object.keys(columns).map((name) => escapeIdentifier(name))
  const values = Object.values(columns).map(literal)
  await sql(`INSERT INTO spean.record (${names.join()}) VALUES (${values.join()})`)
}

/** Makes the commitment of a record anew, so that it fits what the record says now. */
export async function recommit(
  server: PostgresServer,
  database: string,
  position: number,
): Promise<Buffer> {
  await using stores = await openStores(server, database)
  const [stored] = await stores.records.after(position - 1, 1)
  const commitment = commitmentOf(stored!.salt, recordText(toPlain(stored!)))
  const sql = ownerOf(server, database)
  await sql(
    `UPDATE spean.record SET commitment = ${literal(commitment)} WHERE position = ${position}`,
  )
  return commitment
}

/** Changes a hash in a tile. */
export async function setHash(
  sql: Sql,
  { level, index }: { readonly level: number; readonly index: number },
  hash: Buffer,
): Promise<void> {
  const start = (index % TILE_WIDTH) * HASH_BYTES + 1
  await sql(`UPDATE spean.tile
    SET hashes = overlay(hashes PLACING ${literal(hash)}::bytea FROM ${start} FOR ${HASH_BYTES})
    WHERE level = ${level} AND number = ${Math.floor(index / TILE_WIDTH)}`)
}
