import { askWith, type PostgresDatabase } from './postgres-database.ts'
import { TreeStoreError, type StoredCheckpoint, type TreeStore } from './tree-store.ts'

const SELECT = `SELECT size, "rootHash", note, at, "witnessedAt",
  ARRAY(SELECT line FROM spean.cosignature s WHERE s.size = c.size ORDER BY number) AS cosignatures
  FROM spean.checkpoint AS c`

interface Row extends Omit<StoredCheckpoint, 'witnessedAt'> {
  readonly witnessedAt: Date | null
}

/** The tree of a log in PostgreSQL. @param database stays open when the store is closed. */
export function createPostgresTreeStore(database: PostgresDatabase): TreeStore {
  const ask = askWith(
    database,
    (message, options) =>
      new TreeStoreError(`the tree cannot be read or written (${message})`, options),
  )
  const find = async (rest: string, ...values: number[]): Promise<StoredCheckpoint[]> =>
    (await ask<Row>('work', `${SELECT} ${rest}`, ...values)).map(toCheckpoint)
  const one = async (rest: string, ...values: number[]): Promise<StoredCheckpoint | undefined> =>
    (await find(`${rest} LIMIT 1`, ...values))[0]
  return {
    head: () => one('ORDER BY size DESC'),
    advance: async (from, tiles, { size, rootHash, note, at, witnessedAt }) => {
      const [row] = await ask<{ isDone: boolean }>(
        'work',
        'SELECT spean.advance($1, $2, $3, $4, $5, $6, $7, $8, $9) AS "isDone"',
        from,
        tiles.map(({ level }) => level),
        tiles.map(({ index }) => index),
        tiles.map(({ hashes }) => hashes),
        size,
        rootHash,
        note,
        at.toISOString(),
        witnessedAt?.toISOString(),
      )
      return row!.isDone
    },
    tile: async (level, index) => {
      const sql = 'SELECT hashes FROM spean.tile WHERE level = $1 AND number = $2'
      return (await ask<{ hashes: Buffer }>('work', sql, level, index))[0]?.hashes
    },
    checkpoint: (size) => one('WHERE size = $1', size),
    covering: (size, { witnessed = false } = {}) =>
      one(
        `WHERE size >= $1 ${witnessed ? 'AND "witnessedAt" IS NOT NULL' : ''} ORDER BY size`,
        size,
      ),
    witnessedHead: () => one('WHERE "witnessedAt" IS NOT NULL ORDER BY size DESC'),
    checkpoints: (size, limit) => find('WHERE size > $1 ORDER BY size LIMIT $2', size, limit),
    addCosignatures: async (size, lines, witnessedAt) => {
      const sql = 'SELECT spean.cosign($1, $2, $3)'
      await ask('work', sql, size, lines, witnessedAt?.toISOString())
    },
    thin: async (before, keep, from?: Date) => {
      const times = [from?.toISOString() ?? '-infinity', before.toISOString()]
      await ask('work', 'SELECT spean.thin($1, $2, $3)', ...times, [...keep])
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

function toCheckpoint({ witnessedAt, ...row }: Row): StoredCheckpoint {
  return { ...row, ...(witnessedAt === null ? {} : { witnessedAt }) }
}
