import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { ConfigError } from '../../runtime/config.ts'
import { openDatabase } from '../../service-catalogue/database.ts'
import { MIGRATIONS } from '../../service-catalogue/schema.ts'
import { createAuthority, createConfig, startTestCatalogue, temporaryFolder } from './support.ts'

/** A database as the first version of the program made it. */
function makeFirst(stateDir: string): DatabaseSync {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  const db = new DatabaseSync(join(stateDir, 'catalogue.db'))
  db.exec(`PRAGMA journal_mode = WAL; ${MIGRATIONS[0]}; PRAGMA user_version = 1`)
  db.exec(`INSERT INTO catalogue VALUES ('KH-DEV')`)
  return db
}

const layout = (file: string): unknown => {
  using db = new DatabaseSync(file)
  return db.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY type, name').all()
}

it('of the first version is the one that was released', () => {
  const digest = createHash('sha256').update(MIGRATIONS[0]!).digest('hex')
  expect(digest).toBe('9adcdc0cfe0ce0249471466232f5d4926ee1c5405b094c6286e1df8d973fdd82')
})

it('a database of the first version is brought up to this one, with all that is in it', async () => {
  const authority = await createAuthority()
  const config = await createConfig(authority)
  {
    using db = makeFirst(config.stateDir)
    db.exec(
      `INSERT INTO authority VALUES ('Test'); INSERT INTO member VALUES ('KH-DEV/GOV/MOI', 'Interior')`,
    )
    const add = db.prepare(`INSERT INTO authority_certificate VALUES ('Test', ?, ?)`)
    add.run(0, authority.root.certificate.der)
    add.run(1, authority.issuing.certificate.der)
  }
  await using running = await startTestCatalogue({ authority, config })
  const { authorities, members } = await running.snapshot()
  expect(members).toMatchObject([{ id: 'KH-DEV/GOV/MOI', name: 'Interior' }])
  expect(authorities).toEqual([
    {
      name: 'Test',
      certificates: [authority.root, authority.issuing].map(({ certificate }) =>
        certificate.der.toString('base64'),
      ),
    },
  ])
  const answer = await running.call('PUT', '/admin/authorities/Test', {
    body: { certificates: authority.pems, ocspNonce: 'optional' },
  })
  expect([answer.status, answer.body.ocspNonce]).toEqual([200, 'optional'])
})

it('a migrated database is the same as a new one', () => {
  const [old, fresh] = [temporaryFolder(), temporaryFolder()]
  makeFirst(old).close()
  for (const folder of [old, fresh]) openDatabase(folder, 'KH-DEV')[Symbol.dispose]()
  const file = (folder: string): string => join(folder, 'catalogue.db')
  expect(layout(file(old))).toEqual(layout(file(fresh)))
})

it('a migration that fails leaves the database as it was', () => {
  const folder = temporaryFolder()
  {
    using db = makeFirst(folder)
    db.exec('CREATE TABLE time_stamping_authority (x)')
  }
  const before = layout(join(folder, 'catalogue.db'))
  expect(() => openDatabase(folder, 'KH-DEV')).toThrow(ConfigError)
  expect(layout(join(folder, 'catalogue.db'))).toEqual(before)
})

it('a database of a later version is refused', () => {
  const folder = temporaryFolder()
  {
    using db = makeFirst(folder)
    db.exec(`PRAGMA user_version = ${MIGRATIONS.length + 1}`)
  }
  expect(() => openDatabase(folder, 'KH-DEV')).toThrow(/is of version/)
})
