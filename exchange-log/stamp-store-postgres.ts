import { askWith, type PostgresDatabase } from './postgres-database.ts'
import { StampStoreError, type LogStamp, type StampStore } from './stamp-store.ts'

const SELECT = 'SELECT size, token, "genTime", serial, authority, at FROM spean.stamp'

/** The time-stamps of a log in PostgreSQL. @param database stays open when the store is closed. */
export function createPostgresStampStore(database: PostgresDatabase): StampStore {
  const ask = askWith(
    database,
    (message, options) =>
      new StampStoreError(`the time-stamps cannot be kept or read (${message})`, options),
  )
  const find = (rest: string, ...values: number[]): Promise<LogStamp[]> =>
    ask<LogStamp>('work', `${SELECT} ${rest}`, ...values)
  return {
    add: async ({ size, token, genTime, serial, authority, at }) => {
      const sql = 'SELECT spean."addStamp"($1, $2, $3, $4, $5, $6) AS "isKept"'
      const times = [genTime.toISOString(), at.toISOString()] as const
      const values = [size, token, times[0], serial, authority, times[1]]
      return (await ask<{ isKept: boolean }>('work', sql, ...values))[0]!.isKept
    },
    last: async () => (await find('ORDER BY size DESC LIMIT 1'))[0],
    covering: async (position) =>
      (await find('WHERE size >= $1 ORDER BY size LIMIT 1', position))[0],
    list: ({ before = Number.MAX_SAFE_INTEGER, limit }) =>
      find('WHERE size < $1 ORDER BY size DESC LIMIT $2', before, limit),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}
