/** The stores beside the records, in PostgreSQL. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  openPostgresDatabase,
  type PostgresDatabase,
} from '../../exchange-log/postgres-database.ts'
import { createPostgresStampStore } from '../../exchange-log/stamp-store-postgres.ts'
import { createPostgresTreeStore } from '../../exchange-log/tree-store-postgres.ts'
import { createPostgresValidationStore } from '../../exchange-log/validation-store-postgres.ts'
import { ROLE, startPostgres, type PostgresServer } from '../support/postgres.ts'
import { minute } from './exchange-log-entries.ts'
import { describeStampStore } from './stamp-store.contract.ts'
import { describeTreeStore } from './tree-store.contract.ts'
import { describeValidationStore } from './validation-store.contract.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

/** Opens a store with a database connection of its own, which it closes. */
function storesOf<T extends AsyncDisposable>(
  create: (database: PostgresDatabase) => T,
): () => Promise<() => Promise<T>> {
  return async () => {
    const url = server.url(ROLE, await server.newLog())
    return async () => {
      const database = await openPostgresDatabase(url)
      return { ...create(database), [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() }
    }
  }
}

describeTreeStore('PostgreSQL', storesOf(createPostgresTreeStore))
describeValidationStore('PostgreSQL', storesOf(createPostgresValidationStore))
describeStampStore('PostgreSQL', async () => ({
  open: await storesOf(createPostgresStampStore)(),
}))

it('each of them says in its own words that the database is away, and works when it is back', async () => {
  await using database = await openPostgresDatabase(server.url(ROLE, await server.newLog()))
  const tree = createPostgresTreeStore(database)
  const stamps = createPostgresStampStore(database)
  const validation = createPostgresValidationStore(database)
  const cosign = (): Promise<void> => tree.addCosignatures(1, ['— w A'])
  const keep = (): Promise<void> =>
    validation.keepSignatureStamp({ digest: 'd', token: Buffer.of(1), genTime: minute(1) })
  await server.stop()
  for (const [attempt, name] of [
    [() => tree.head(), 'TreeStoreError'],
    [cosign, 'TreeStoreError'],
    [() => stamps.last(), 'StampStoreError'],
    [keep, 'ValidationStoreError'],
    [() => validation.ocspAnswer('x', minute(1)), 'ValidationStoreError'],
  ] as const) {
    await expect(attempt()).rejects.toMatchObject({ name })
  }
  await server.start()
  await Promise.all([cosign(), keep(), stamps.last(), validation.signatureStamp('x')])
})
