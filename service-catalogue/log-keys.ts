/** Keys of gateways: of their logs, and as witnesses (protocol/README.md §12.4). */
import { isLogOf, witnessName } from '../protocol/checkpoint.ts'
import { ExchangeError, refusedAs } from '../protocol/errors.ts'
import { readGatewayId } from '../protocol/identifiers.ts'
import type { Registration } from '../protocol/registration.ts'
import { formatVkey, parseVkey } from '../protocol/signed-note.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { verifyLogPolicy } from './log-policy.ts'

interface GatewayKey {
  readonly gateway: string
  /** One that can be read. */
  readonly vkey: string
  readonly url?: string
}

/**
 * Takes the keys that a gateway says of itself: the first of all its logs, and that of its witness. What is listed
 * already gets the new address. A second log begins when the first was lost, or when somebody has the gateway's
 * certificate who is not the gateway: that is for the operator to tell.
 *
 * @throws ExchangeError `registration.not-allowed` for another key than the listed one.
 */
export function registerKeys(db: Database, { gateway, log, witness }: Registration): void {
  refusedAs('registration.not-allowed', undefined, () => {
    if (log !== undefined) {
      const { name } = parseVkey(log.vkey)
      if (!isLogOf(readGatewayId(gateway), name))
        throw refused(`${name} is no log of gateway ${gateway}`)
      const sql = 'SELECT vkey, origin FROM log_key WHERE gateway = ?'
      const listed = db.all<{ vkey: string; origin: string }>(sql, gateway)
      if (listed.length > 0 && !listed.some(({ vkey }) => vkey === log.vkey)) {
        const isSame = listed.some(({ origin }) => origin === name)
        throw refused(
          isSame
            ? `the log ${name} has another key; when that was lost, the gateway begins the next log: exchangeLog.number`
            : `gateway ${gateway} has a log already; when that was lost, the operator adds the key of ${name}: spean gateway log-key`,
        )
      }
      putLogKey(db, { gateway, ...log })
    }
    if (witness?.url !== undefined) {
      const { name } = parseVkey(witness.vkey)
      const listed = db.get<{ vkey: string }>('SELECT vkey FROM witness WHERE name = ?', name)
      if (name !== witnessName(readGatewayId(gateway))) {
        throw refused(`${name} is not the witness of gateway ${gateway}`)
      }
      if (listed !== undefined && listed.vkey !== witness.vkey) {
        throw refused(
          `the witness ${name} has another key; when it was lost, the operator puts the new one: spean gateway witness-key`,
        )
      }
      putGatewayWitness(db, { gateway, vkey: witness.vkey, url: witness.url })
    }
  })
}

const refused = (detail: string): ExchangeError =>
  new ExchangeError('registration.not-allowed', detail)

/** Adds a key of a log, or gives a listed one its address. @throws ExchangeError `admin.conflict` */
export function putLogKey(db: Database, { gateway, vkey, url }: GatewayKey): void {
  const verifier = parseVkey(vkey)
  db.run(
    `INSERT INTO log_key (vkey, origin, gateway, url) VALUES (?, ?, ?, ?)
     ON CONFLICT (vkey) DO UPDATE SET url = excluded.url`,
    formatVkey(verifier),
    verifier.name,
    gateway,
    url ?? null,
  )
  verifyLogPolicy(db)
}

/**
 * Takes a key out that never was the gateway's. The last one of a gateway stays until another is listed: else
 * the next that registers would be taken, and who has a stolen certificate is as fast as its owner.
 *
 * @throws ExchangeError `admin.conflict`
 */
export function removeLogKey(db: Database, { gateway, vkey }: Omit<GatewayKey, 'url'>): void {
  db.run('DELETE FROM log_key WHERE gateway = ? AND vkey = ?', gateway, vkey)
  const isLast = db.get('SELECT 1 FROM log_key WHERE gateway = ?', gateway) === undefined
  if (isLast && db.get('SELECT 1 FROM gateway WHERE id = ?', gateway) !== undefined) {
    throw new ExchangeError(
      'admin.conflict',
      `it is the only key of a log of gateway ${gateway}; add the one of its owner first: spean gateway log-key`,
    )
  }
  verifyLogPolicy(db)
}

/** Puts the key of a gateway as a witness in the place of the one before. @throws ExchangeError `admin.conflict` */
export function putGatewayWitness(
  db: Database,
  { gateway, vkey, url }: Required<GatewayKey>,
): void {
  const verifier = parseVkey(vkey)
  db.run('DELETE FROM witness WHERE gateway = ?', gateway)
  db.run(
    'INSERT INTO witness (name, vkey, url, gateway) VALUES (?, ?, ?, ?)',
    ...[verifier.name, formatVkey(verifier), url, gateway],
  )
  verifyLogPolicy(db)
}
