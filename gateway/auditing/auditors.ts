import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { ExchangeError } from '../../protocol/errors.ts'
import type { Principal } from '../../runtime/admin-api.ts'
import type { Clock } from '../../runtime/clock.ts'
import { openSqliteDatabase, setVersion } from '../../runtime/sqlite-database.ts'

/** One token of an auditor. Its name and scope never change: what a query saw can be told years later. */
export interface Auditor {
  readonly id: string
  readonly name: string
  /** Members, subsystems and services; absent: all. */
  readonly scope?: readonly string[]
  readonly createdAt: Date
  readonly expiresAt?: Date
  readonly revokedAt?: Date
}

/** Who may read the exchange log besides the administrator. */
export interface Auditors extends Disposable {
  /** All that there ever were, oldest first. */
  list(): Auditor[]
  /**
   * @returns the token, which is kept nowhere: of it only the SHA-256 digest is.
   * @throws ExchangeError `admin.conflict` when there is an auditor of that name whose token is good.
   */
  add(auditor: Pick<Auditor, 'name' | 'scope' | 'expiresAt'>): { auditor: Auditor; token: string }
  /** Ends an auditor's token, from the next request on. @throws ExchangeError `admin.not-found` */
  revoke(name: string): void
  /** @returns undefined for a token of nobody. @throws ExchangeError `admin.unauthenticated` for one that ended. */
  auditorOf(token: string): Principal | undefined
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS auditor (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, scope TEXT, tokenDigest BLOB NOT NULL UNIQUE,
    createdAt INTEGER NOT NULL, expiresAt INTEGER, revokedAt INTEGER
  ) STRICT;`
const VERSION = 1
const TOKEN_BYTES = 32

interface Row {
  readonly id: string
  readonly name: string
  readonly scope: string | null
  readonly tokenDigest: Uint8Array
  readonly createdAt: number
  readonly expiresAt: number | null
  readonly revokedAt: number | null
}
type Entry = Auditor & { readonly tokenDigest: Buffer }

/** Opens the list in `file`, made at first start and answered from memory. @throws ConfigError */
export function openAuditors(file: string, clock: Clock): Auditors {
  const db = openSqliteDatabase(file, (database) => {
    database.exec(SCHEMA)
    setVersion(database, VERSION)
  })
  const entries = new Map(
    db.all<Row>('SELECT * FROM auditor ORDER BY rowid').map((row) => [row.id, toEntry(row)]),
  )
  const isGood = ({ expiresAt, revokedAt }: Auditor): boolean =>
    revokedAt === undefined && (expiresAt === undefined || expiresAt > clock())
  const goodOf = (name: string): Entry | undefined =>
    [...entries.values()].find((entry) => entry.name === name && isGood(entry))
  return {
    list: () => [...entries.values()].map(({ tokenDigest: _secret, ...auditor }) => auditor),
    add: ({ name, scope, expiresAt }) => {
      if (goodOf(name)) {
        throw new ExchangeError('admin.conflict', `there is an auditor ${name} already`)
      }
      const token = randomBytes(TOKEN_BYTES).toString('base64url')
      const auditor: Auditor = {
        id: crypto.randomUUID(),
        name,
        ...(scope ? { scope } : {}),
        createdAt: clock(),
        ...(expiresAt ? { expiresAt } : {}),
      }
      const tokenDigest = digestOf(token)
      db.run(
        'INSERT INTO auditor (id, name, scope, tokenDigest, createdAt, expiresAt) VALUES (?, ?, ?, ?, ?, ?)',
        auditor.id,
        name,
        scope ? JSON.stringify(scope) : null,
        tokenDigest,
        auditor.createdAt.getTime(),
        expiresAt?.getTime() ?? null,
      )
      entries.set(auditor.id, { ...auditor, tokenDigest })
      return { auditor, token }
    },
    revoke: (name) => {
      const entry = goodOf(name)
      if (!entry) throw new ExchangeError('admin.not-found', `there is no auditor ${name}`)
      const revokedAt = clock()
      db.run('UPDATE auditor SET revokedAt = ? WHERE id = ?', revokedAt.getTime(), entry.id)
      entries.set(entry.id, { ...entry, revokedAt })
    },
    auditorOf: (token) => {
      const digest = digestOf(token)
      // All are compared, each in constant time: how long it takes tells nothing of which one it nearly was.
      const [entry] = [...entries.values()].filter((e) => timingSafeEqual(e.tokenDigest, digest))
      if (!entry) return undefined
      if (isGood(entry)) return toPrincipal(entry)
      const ended = entry.revokedAt ? 'was revoked' : 'has expired'
      throw new ExchangeError('admin.unauthenticated', `the token of ${entry.name} ${ended}`)
    },
    [Symbol.dispose]: () => db[Symbol.dispose](),
  }
}

const digestOf = (token: string): Buffer => hash('sha256', token, 'buffer')

function toPrincipal({ id, name, scope }: Auditor): Principal {
  return { role: 'auditor', id, name, ...(scope ? { scope } : {}) }
}

function toEntry(row: Row): Entry {
  return {
    id: row.id,
    name: row.name,
    ...(row.scope === null ? {} : { scope: JSON.parse(row.scope) as string[] }),
    createdAt: new Date(row.createdAt),
    ...(row.expiresAt === null ? {} : { expiresAt: new Date(row.expiresAt) }),
    ...(row.revokedAt === null ? {} : { revokedAt: new Date(row.revokedAt) }),
    tokenDigest: Buffer.from(row.tokenDigest),
  }
}
