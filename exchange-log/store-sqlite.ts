import type { SQLInputValue } from 'node:sqlite'
import { touchPrivate } from '../runtime/private-file.ts'
import {
  contentsStatement,
  eventsStatement,
  listStatement,
  toOwner,
  toSummary,
  type Statement,
} from './sqlite-queries.ts'
import { ALREADY_RECORDED, SELECT, toRecord, toRow, type Row } from './sqlite-rows.ts'
import { openThread, openWhenAsked } from './sqlite-thread.ts'
import { AlreadyRecordedError, type ExchangeLogStore } from './store.ts'

/**
 * Opens the log in `file`, making it at first start.
 *
 * @param maxBytes the log grows to this size and then refuses, so that it cannot fill the disk.
 * @throws ConfigError when the file cannot be opened.
 */
export async function openSqliteLogStore(
  file: string,
  { maxBytes }: { maxBytes: number },
): Promise<ExchangeLogStore> {
  touchPrivate(file)
  await using opening = new AsyncDisposableStack()
  const writer = opening.use(await openThread({ file, maxBytes, readOnly: false }))
  // Queries have threads and connections of their own: a long one holds up no exchange, a search no checkpoint.
  const reader = opening.use(await openThread({ file, maxBytes, readOnly: true }))
  const searcher = opening.use(openWhenAsked({ file, maxBytes, readOnly: true }))
  const select = async (sql: string, ...parameters: SQLInputValue[]): Promise<Row[]> =>
    (await reader.ask({ select: sql, parameters })) as Row[]
  const search = async ({ sql, parameters }: Statement): Promise<Row[]> =>
    (await searcher.ask({ select: sql, parameters })) as Row[]

  const open = opening.move()
  return {
    append: async (sealed) => {
      const { content, onceSince, record } = sealed
      const once = onceSince && [
        ...[record.exchangeId, record.side ?? null, record.kind],
        onceSince.getTime(),
      ]
      const kept = content && {
        wrappedKey: content.wrappedKey,
        ...('parts' in content ? { parts: content.parts } : {}),
      }
      const position = await writer.write({
        ...{ insert: toRow(sealed), ...kept },
        ...(once && { once }),
      })
      if (position !== ALREADY_RECORDED) return position
      throw new AlreadyRecordedError(`exchange ${record.exchangeId} was recorded already`)
    },
    stage: async (staged, part, bytes) => {
      await writer.write({ stage: [-staged, part, bytes] })
    },
    unstage: async (staged) => {
      await writer.ask({ unstage: -staged })
    },
    list: async (query) => (await search(listStatement(query))).map(toSummary),
    entries: async (exchangeId) =>
      (await select(`${SELECT} WHERE exchangeId = ? ORDER BY position`, exchangeId)).map(toRecord),
    events: async (kinds, after, limit) =>
      (await search(eventsStatement(kinds, after, limit))).map(toRecord),
    contents: async (query) => (await search(contentsStatement(query))).map(toOwner),
    after: async (position, limit) =>
      (await select(`${SELECT} WHERE position > ? ORDER BY position LIMIT ?`, position, limit)).map(
        toRecord,
      ),
    commitments: async (position, limit) => {
      const sql = 'SELECT commitment FROM record WHERE position > ? ORDER BY position LIMIT ?'
      return (await select(sql, position, limit)).map((row) => bytesOf(row.commitment))
    },
    wrappedKey: async (position) => {
      const sql = 'SELECT wrapped FROM recordKey WHERE position = ?'
      const [row] = await select(sql, position)
      return row && bytesOf(row.wrapped)
    },
    contentPart: async (position, part) => {
      const sql = `SELECT bytes FROM content JOIN record ON owner = coalesce(staged, position)
        WHERE position = ? AND part = ?`
      const [row] = await select(sql, position, part)
      return row && bytesOf(row.bytes)
    },
    erase: async (positions) => {
      await writer.ask({ erase: positions })
    },
    removeUpTo: async (position) => {
      await writer.ask({ removeUpTo: position })
    },
    extent: async () => {
      const [row] = await select(`SELECT
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'record'), 0) AS last,
        (SELECT min(position) FROM record) AS first,
        (SELECT (page_count - freelist_count) * page_size
          FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()) AS bytes`)
      const last = Number(row!.last)
      return { last, first: Number(row!.first ?? last + 1), bytes: Number(row!.bytes) }
    },
    servedSince: async (since) => {
      const sql = `SELECT exchangeId FROM record
        WHERE begunAt IS NULL AND at >= ? AND side = 'provider' AND kind = 'request'`
      return (await select(sql, since.getTime())).map((row) => row.exchangeId as string)
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

function bytesOf(value: SQLInputValue | undefined): Buffer {
  return Buffer.from(value as Uint8Array)
}
