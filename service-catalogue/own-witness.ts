import { join } from 'node:path'
import { ensureKeyFile } from '../pki/keys.ts'
import { catalogueWitnessName } from '../protocol/checkpoint.ts'
import { formatVkey, NOTE_TYPE, noteVerifier, parseVkey } from '../protocol/signed-note.ts'
import type { Route } from '../runtime/admin-api.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import {
  createWitnessAdminRoutes,
  createWitnessRoutes,
  WITNESS_PREFIX,
} from '../witness/witness-routes.ts'
import { openWitnessState } from '../witness/witness-state.ts'
import { createWitness, type WitnessHealth } from '../witness/witness.ts'
import type { Changes } from './changes.ts'
import { verifyLogPolicy } from './log-policy.ts'

/** The catalogue as a witness of the logs of all gateways. */
export interface OwnWitness extends Disposable {
  readonly routes: readonly Route[]
  describe(): WitnessHealth
  /** Lists it for gateways, at the address of the catalogue. */
  list(catalogueUrl: string, changes: Changes): Promise<void>
}

/** Opens its key and its state, which are made at the first start. @throws ConfigError */
export async function openOwnWitness(deps: {
  readonly stateDir: string
  readonly instance: string
  readonly db: Database
  readonly clock: Clock
  readonly logger: Logger
}): Promise<OwnWitness> {
  const { stateDir, instance, db, clock, logger } = deps
  const name = catalogueWitnessName(instance)
  const { privateKey } = await ensureKeyFile(join(stateDir, 'witness.key'), 'Ed25519')
  const verifier = noteVerifier(name, privateKey, NOTE_TYPE.cosignature)
  const state = openWitnessState(join(stateDir, 'witness.db'))
  const witness = createWitness({
    ...{ key: { verifier, privateKey }, state, clock, logger },
    keysOf: (origin) =>
      db
        .all<{ vkey: string }>('SELECT vkey FROM log_key WHERE origin = ?', origin)
        .map(({ vkey }) => parseVkey(vkey)),
  })
  const vkey = formatVkey(verifier)
  return {
    routes: [...createWitnessRoutes(witness), ...createWitnessAdminRoutes(witness, state)],
    describe: () => witness.describe(),
    list: async (catalogueUrl, changes) => {
      const put = (): void => {
        db.run('DELETE FROM witness WHERE own = 1')
        const sql = 'INSERT INTO witness (name, vkey, url, own) VALUES (?, ?, ?, 1)'
        db.run(sql, name, vkey, `${catalogueUrl}${WITNESS_PREFIX}`)
        verifyLogPolicy(db)
      }
      // While there is no log there is nobody to tell: the snapshot that brings the first log has it.
      if (db.get('SELECT 1 FROM log_key LIMIT 1') === undefined) db.transaction(put)
      else {
        await changes.put({
          actor: 'catalogue',
          action: 'put-witness',
          subject: `witness ${name}`,
          read: () => db.get<object>('SELECT name, vkey, url FROM witness WHERE own = 1'),
          apply: put,
        })
      }
    },
    [Symbol.dispose]: () => state[Symbol.dispose](),
  }
}
