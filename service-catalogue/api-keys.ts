import { createHash, randomBytes } from 'node:crypto'
import { ExchangeError } from '../protocol/errors.ts'
import type { Principal } from '../runtime/admin-api.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Role } from '../runtime/roles.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { isWithin } from './scope.ts'

/** All of a key but its secret, of which only a digest is stored. */
export interface ApiKey {
  readonly id: string
  readonly name: string
  readonly role: Role
  /** Absent: everything. */
  readonly scope?: readonly string[]
  /** Who holds it. */
  readonly person: string
  readonly madeBy: string
  /** By which credential; when that is revoked, this one is too. */
  readonly madeWith: string
  readonly createdAt: string
  readonly expiresAt: string
  readonly revokedAt?: string
  /** To the minute. */
  readonly lastUsedAt?: string
}

type Row = Omit<ApiKey, 'scope' | 'revokedAt' | 'lastUsedAt'> & {
  readonly scope: string | null
  readonly revokedAt: string | null
  readonly lastUsedAt: string | null
}

const PREFIX = 'spk_'
const USED_MS = 60_000
const COLUMNS =
  'id, name, role, scope, person, madeBy, madeWith, createdAt, expiresAt, revokedAt, lastUsedAt'

export const isApiKey = (token: string): boolean => token.startsWith(PREFIX)

export const credentialOf = (id: string): string => `key ${id}`

const digestOf = (token: string): string => createHash('sha256').update(token).digest('base64url')

/** @returns the secret, which is nowhere else. To be called in a transaction. */
export function storeApiKey(
  db: Database,
  key: Omit<ApiKey, 'id'>,
): { readonly id: string; readonly key: string } {
  const secret = `${PREFIX}${randomBytes(32).toString('base64url')}`
  const id = randomBytes(6).toString('hex')
  const { name, role, scope, person, madeBy, madeWith, createdAt, expiresAt } = key
  db.run(
    `INSERT INTO api_key (id, digest, name, role, scope, person, madeBy, madeWith, createdAt, expiresAt)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ...[id, digestOf(secret), name, role, scope ? JSON.stringify(scope) : null],
    ...[person, madeBy, madeWith, createdAt, expiresAt],
  )
  return { id, key: secret }
}

/** @throws ExchangeError `admin.unauthenticated` for one that is unknown, revoked or expired. */
export function principalOfKey(db: Database, clock: Clock, token: string): Principal {
  const row = db.get<Row>(`SELECT ${COLUMNS} FROM api_key WHERE digest = ?`, digestOf(token))
  if (row === undefined) throw refused('the API key is not one of this catalogue')
  const { id, name, role, scope, person, madeBy, expiresAt, revokedAt, lastUsedAt } = row
  const now = clock()
  if (revokedAt !== null) throw refused(`the API key ${name} (${id}) was revoked at ${revokedAt}`)
  if (new Date(expiresAt) <= now) throw refused(`the API key ${name} (${id}) ended at ${expiresAt}`)
  if (lastUsedAt === null || now.getTime() - Date.parse(lastUsedAt) >= USED_MS) {
    db.run('UPDATE api_key SET lastUsedAt = ? WHERE id = ?', now.toISOString(), id)
  }
  return {
    ...{ role, name, person, madeBy, credential: credentialOf(id), expiresAt: new Date(expiresAt) },
    ...(scope === null ? {} : { scope: JSON.parse(scope) as string[] }),
  }
}

/** Of members' administrators those within what they administer; of the others all. */
export function listApiKeys(db: Database, { scope }: Principal): ApiKey[] {
  const keys = db.all<Row>(`SELECT ${COLUMNS} FROM api_key ORDER BY createdAt, id`).map(toKey)
  if (scope === undefined) return keys
  return keys.filter((key) => key.scope?.every((id) => isWithin(scope, id)) ?? false)
}

/** And every key that was made by it. To be called in a transaction. */
export function revokeApiKey(db: Database, id: string, at: Date): void {
  db.run(
    `WITH RECURSIVE ended (id) AS (
       SELECT ?1 UNION
       SELECT api_key.id FROM api_key JOIN ended ON api_key.madeWith = 'key ' || ended.id
     )
     UPDATE api_key SET revokedAt = ?2 WHERE revokedAt IS NULL AND id IN (SELECT id FROM ended)`,
    id,
    at.toISOString(),
  )
}

function toKey({ scope, revokedAt, lastUsedAt, ...row }: Row): ApiKey {
  return {
    ...row,
    ...(scope === null ? {} : { scope: JSON.parse(scope) as string[] }),
    ...(revokedAt === null ? {} : { revokedAt }),
    ...(lastUsedAt === null ? {} : { lastUsedAt }),
  }
}

const refused = (detail: string): ExchangeError =>
  new ExchangeError('admin.unauthenticated', detail)
