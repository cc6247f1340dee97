import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openPostgresDatabase } from '../../exchange-log/postgres-database.ts'
import { postgresSetupScript, setUpPostgresLog } from '../../exchange-log/postgres-setup.ts'
import { OWNER, ROLE, startPostgres, type PostgresServer } from '../support/postgres.ts'
import { append, found, requestEntry, sealed, sealRecord } from './exchange-log-entries.ts'
import { openLogAt } from './open-log-at.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

const refused = (message: string): object => ({
  name: 'ConfigError',
  message: expect.stringContaining(message) as string,
})

describe('the gateway’s role in PostgreSQL', () => {
  it('can neither change nor remove a record, nor what keeps them in order', async () => {
    const database = await server.newLog()
    await using store = await openLogAt(server.url(ROLE, database))
    const content = { wrappedKey: Buffer.alloc(40), parts: [Buffer.alloc(9)] }
    await store.append({ ...sealed(requestEntry('x')), content })
    const [{ name: month } = {}] = await server.run(
      `SELECT tableoid::regclass::text AS name FROM spean.record`,
      database,
    )
    const others = ['extent', 'version', 'tile', 'checkpoint', 'cosignature', 'stamp'] as const
    const tables = ['record', 'content', '"recordKey"', ...others].map((name) => `spean.${name}`)
    const asGateway = (sql: string): Promise<unknown> => server.run(sql, database, ROLE)
    for (const table of [...tables, String(month)]) {
      const statements = [
        `DELETE FROM ${table}`,
        `TRUNCATE ${table}`,
        `INSERT INTO ${table} DEFAULT VALUES`,
        `DROP TABLE ${table}`,
        `ALTER TABLE ${table} ADD COLUMN more text`,
        `CREATE TRIGGER t BEFORE INSERT ON ${table} EXECUTE FUNCTION suppress_redundant_updates_trigger()`,
      ]
      for (const sql of statements) {
        await expect(asGateway(sql), sql).rejects.toMatchObject({ code: '42501' })
      }
    }
    for (const sql of [
      `UPDATE spean.record SET detail = 'x'`,
      `UPDATE ${String(month)} SET detail = 'x'`,
      'UPDATE spean.extent SET last = 0',
      `UPDATE spean.checkpoint SET note = 'x'`,
      `SELECT spean."makeMonth"(now())`,
      'CREATE TABLE spean.other (x int)',
      `CREATE OR REPLACE FUNCTION spean.prepare() RETURNS void LANGUAGE sql AS $$ SELECT $$`,
      `SET ROLE ${OWNER}`,
      `ALTER ROLE ${ROLE} SUPERUSER`,
      'DROP SCHEMA spean CASCADE',
    ]) {
      await expect(asGateway(sql), sql).rejects.toMatchObject({ code: '42501' })
    }
    expect(await found(store)).toEqual(['x'])
  })

  it('puts nothing of its own under the functions that write for it', async () => {
    const database = await server.newLog()
    await using store = await openLogAt(server.url(ROLE, database))
    const own = `CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '1999-01-01'::timestamptz $$;
      SET search_path = pg_temp, pg_catalog; SELECT spean.prepare()`
    await server.run(own, database, ROLE)
    const rows = await server.run(
      `SELECT FROM pg_class WHERE relname LIKE 'record_1999%'`,
      database,
    )
    expect(rows).toEqual([])
    expect(await append(store, requestEntry('x'))).toBe(1)
  })

  it.each(['postgres', OWNER])('%s is none: it could change records', async (user) => {
    const database = await server.newLog()
    const url = server.url(user, database)
    await expect(openPostgresDatabase(url)).rejects.toMatchObject(refused('may change records'))
  })
})

describe('a log in PostgreSQL', () => {
  it('is set up again without harm, also for another role', async () => {
    const database = await server.newLog()
    await using store = await openLogAt(server.url(ROLE, database))
    await append(store, requestEntry('x'))
    await server.run('CREATE ROLE second LOGIN')
    const owner = server.url(OWNER, database)
    const again = await Promise.all([
      setUpPostgresLog(owner, 'second'),
      setUpPostgresLog(owner, ROLE),
    ])
    expect(again).toEqual([{ isNew: false }, { isNew: false }])
    await using other = await openLogAt(server.url('second', database))
    expect(await append(other, requestEntry('y'))).toBe(2)
    expect(await found(store)).toEqual(['y', 'x'])
  })

  it('is set up by the script as well, and works the same', async () => {
    await server.run(`CREATE DATABASE scripted OWNER ${OWNER}`)
    await server.run(postgresSetupScript(ROLE), 'scripted', OWNER)
    await using store = await openLogAt(server.url(ROLE, 'scripted'))
    expect(await append(store, requestEntry('x'))).toBe(1)
  })

  it('is not opened before it is set up, nor with tables of another version', async () => {
    await server.run(`CREATE DATABASE bare OWNER ${OWNER}`)
    const url = server.url(ROLE, 'bare')
    await expect(openPostgresDatabase(url)).rejects.toMatchObject(refused('setup-postgres'))
    await setUpPostgresLog(server.url(OWNER, 'bare'), ROLE)
    await server.run('UPDATE spean.version SET version = 99', 'bare')
    await expect(openPostgresDatabase(url)).rejects.toMatchObject(refused('version 99'))
    const again = setUpPostgresLog(server.url(OWNER, 'bare'), ROLE)
    await expect(again).rejects.toMatchObject(refused('version 99'))
  })

  it('is not set up for a role that is missing or too powerful, nor over something else', async () => {
    const owner = server.url(OWNER, await server.newLog())
    for (const [role, why] of [
      ['nobody', 'CREATE ROLE'],
      ['postgres', 'what it likes'],
      [OWNER, 'owns'],
    ] as const) {
      await expect(setUpPostgresLog(owner, role)).rejects.toMatchObject(refused(why))
    }
    await server.run(`CREATE DATABASE taken OWNER ${OWNER}`)
    await server.run('CREATE SCHEMA spean', 'taken')
    const taken = setUpPostgresLog(server.url(OWNER, 'taken'), ROLE)
    await expect(taken).rejects.toMatchObject(refused('something else'))
    await server.run(
      `CREATE DATABASE latin OWNER ${OWNER} ENCODING LATIN1 LOCALE 'C' TEMPLATE template0`,
    )
    const latin = setUpPostgresLog(server.url(OWNER, 'latin'), ROLE)
    await expect(latin).rejects.toMatchObject(refused('UTF8'))
  })

  it('is not opened where a confirmed record could be lost', async () => {
    const url = server.url(ROLE, await server.newLog())
    const loose = `${url}?options=${encodeURIComponent('-c synchronous_commit=off')}`
    await expect(openPostgresDatabase(loose)).rejects.toMatchObject(refused('synchronous_commit'))
    await server.run('ALTER SYSTEM SET fsync = off')
    await server.run('SELECT pg_reload_conf()')
    await expect
      .poll(() => openPostgresDatabase(url).catch((error: unknown) => error))
      .toMatchObject(refused('fsync'))
    await server.run('ALTER SYSTEM RESET fsync')
    await server.run('SELECT pg_reload_conf()')
  })

  it('makes months ahead, and any other with its first record', async () => {
    const database = await server.newLog()
    await using store = await openLogAt(server.url(ROLE, database))
    const months = async (): Promise<unknown[]> => {
      const sql = `SELECT relname FROM pg_class WHERE relname ~ '^record_[0-9]{4}_[0-9]{2}$' ORDER BY 1`
      return (await server.run(sql, database)).map(({ relname }) => relname)
    }
    expect(await months()).toHaveLength(3)
    const at = new Date('2019-12-31T23:59:59.999Z')
    await store.append(sealRecord({ ...requestEntry('x'), recordedAt: at }))
    const next = new Date(at.getTime() + 1)
    await store.append(sealRecord({ ...requestEntry('y'), recordedAt: next }))
    expect((await months()).slice(0, 2)).toEqual(['record_2019_12', 'record_2020_01'])
    const where = await server.run(
      'SELECT "exchangeId", tableoid::regclass::text AS month FROM spean.record ORDER BY position',
      database,
    )
    expect(where).toEqual([
      { exchangeId: 'x', month: 'spean.record_2019_12' },
      { exchangeId: 'y', month: 'spean.record_2020_01' },
    ])
    await store.removeUpTo(2)
    expect((await months())[0]).not.toMatch(/20(19|20)/)
  })

  it('keeps content that was staged in a month that goes, for a record of a month that stays', async () => {
    const database = await server.newLog()
    await using store = await openLogAt(server.url(ROLE, database))
    const [january, february] = [new Date('2019-01-31T23:59:59Z'), new Date('2019-02-01T00:00:00Z')]
    await store.append(sealRecord({ ...requestEntry('x'), recordedAt: january }))
    await store.stage(1, 0, Buffer.from('part'))
    await server.run('UPDATE spean.content SET "keptAt" = \'2019-01-31T23:59:59Z\'', database)
    const content = { wrappedKey: Buffer.alloc(40), staged: 1 }
    await store.append({ ...sealRecord({ ...requestEntry('y'), recordedAt: february }), content })
    await store.removeUpTo(1)
    expect(await found(store)).toEqual(['y'])
    expect(await store.contentPart(2, 0)).toEqual(Buffer.from('part'))
    await store.removeUpTo(2)
    expect(await server.run('SELECT FROM spean.content', database)).toEqual([])
  })

  it('takes records up to its size, rejects beyond it, and goes on with a larger one', async () => {
    const where = server.url(ROLE, await server.newLog())
    {
      await using store = await openLogAt(where, 100_000)
      const rejected = {
        name: 'LogStoreError',
        message: expect.stringContaining('maxBytes') as string,
      }
      await expect(append(store, requestEntry('x'))).rejects.toMatchObject(rejected)
      expect(await found(store)).toEqual([])
    }
    await using store = await openLogAt(where)
    expect(await append(store, requestEntry('x'))).toBe(1)
  })

  it('takes the records that came together with one that it cannot take', async () => {
    await using store = await openLogAt(server.url(ROLE, await server.newLog()))
    const good = sealed(requestEntry('faulty'))
    const faulty = { ...good, record: { ...good.record, at: new Date(NaN) } }
    const appends = await Promise.allSettled([
      append(store, requestEntry('a')),
      store.append(faulty),
      append(store, requestEntry('b')),
    ])
    expect(appends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(appends[1]).toMatchObject({ reason: { name: 'LogStoreError' } })
    expect(await found(store)).toEqual(['b', 'a'])
  })

  it('sweeps content that was staged a day ago for a record that never came', async () => {
    const database = await server.newLog()
    const where = server.url(ROLE, database)
    {
      await using store = await openLogAt(where)
      for (const staged of [1, 2, 3]) await store.stage(staged, 0, Buffer.from('part'))
      const content = { wrappedKey: Buffer.alloc(40), staged: 1 }
      await store.append({ ...sealed(requestEntry('x')), content })
      const late =
        'UPDATE spean.content SET "keptAt" = now() - interval \'25 hours\' WHERE owner > -3'
      await server.run(
        `SELECT spean."makeMonth"(spean."monthOf"(now() - interval '25 hours'))`,
        database,
      )
      await server.run(late, database)
    }
    await using store = await openLogAt(where)
    const left = await server.run('SELECT owner FROM spean.content ORDER BY owner DESC', database)
    expect(left).toEqual([{ owner: '-1' }, { owner: '-3' }])
    expect(await store.contentPart(1, 0)).toEqual(Buffer.from('part'))
  })
})
