import { ExchangeError } from '../../protocol/errors.ts'
import { openSqliteDatabase } from '../../runtime/sqlite-database.ts'

/** Who signs tokens of a client member's users; named by the administrator of the provider's gateway. */
export interface IdentityProvider {
  /** `INSTANCE/CLASS/MEMBER` whose users it knows. */
  readonly member: string
  /** The claim `iss` of its tokens. */
  readonly issuer: string
  /** Where its keys are, `https://…`; one of the two. */
  readonly jwksUrl?: string
  /** Its keys, when they are not fetched. */
  readonly jwks?: { readonly keys: readonly Readonly<Record<string, unknown>>[] }
  /** PEM certificates that the server at `jwksUrl` leads to; absent: those that Node knows. */
  readonly caCertificates?: string
}

export interface IdentityProviders extends Disposable {
  all(): readonly IdentityProvider[]
  find(member: string, issuer: string): IdentityProvider | undefined
  put(provider: IdentityProvider): void
  /** @throws ExchangeError `admin.not-found`. */
  remove(member: string, issuer: string): void
}

/** Kept in a SQLite file, answered from memory. @throws ConfigError when it cannot be opened. */
export function openIdentityProviders(file: string): IdentityProviders {
  const database = openSqliteDatabase(file, (db) =>
    db.exec(`CREATE TABLE IF NOT EXISTS identityProvider (
      member TEXT NOT NULL, issuer TEXT NOT NULL, setting TEXT NOT NULL, PRIMARY KEY (member, issuer)
    ) STRICT`),
  )
  const providers = new Map(
    database
      .all<{ setting: string }>('SELECT setting FROM identityProvider ORDER BY member, issuer')
      .map(({ setting }) => JSON.parse(setting) as IdentityProvider)
      .map((provider) => [keyOf(provider.member, provider.issuer), provider]),
  )
  return {
    all: () => [...providers.values()],
    find: (member, issuer) => providers.get(keyOf(member, issuer)),
    put: (provider) => {
      const { member, issuer } = provider
      const setting = JSON.stringify(provider)
      database.run(
        'INSERT OR REPLACE INTO identityProvider VALUES (?, ?, ?)',
        member,
        issuer,
        setting,
      )
      providers.set(keyOf(member, issuer), provider)
    },
    remove: (member, issuer) => {
      const sql = 'DELETE FROM identityProvider WHERE member = ? AND issuer = ?'
      if (database.run(sql, member, issuer) === 0) {
        const detail = `there is no identity provider ${issuer} of ${member}`
        throw new ExchangeError('admin.not-found', detail)
      }
      providers.delete(keyOf(member, issuer))
    },
    [Symbol.dispose]: () => database[Symbol.dispose](),
  }
}

const keyOf = (member: string, issuer: string): string => `${member} ${issuer}`
