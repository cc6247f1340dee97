/** Appends records and brings them into the tree until it is killed: `node … FOLDER LOG-KEY-FILE`. */
import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { startIntegrator } from '../../exchange-log/integrator.ts'
import { openSqliteLogStore } from '../../exchange-log/store-sqlite.ts'
import { openSqliteTreeStore } from '../../exchange-log/tree-store-sqlite.ts'
import { NOTE_TYPE, noteVerifier } from '../../protocol/signed-note.ts'
import { systemClock } from '../../runtime/clock.ts'
import { createLogger } from '../../runtime/logger.ts'
import { newRecord, ORIGIN } from './tree-support.ts'

const [, , dir = '', keyFile = ''] = process.argv
const privateKey = createPrivateKey(readFileSync(keyFile))
const key = { privateKey, verifier: noteVerifier(ORIGIN, privateKey, NOTE_TYPE.ed25519) }
const records = await openSqliteLogStore(`${dir}/log.db`, { maxBytes: 1e9 })
const tree = openSqliteTreeStore(`${dir}/tree.db`)
startIntegrator({
  ...{ records, tree, key, clock: systemClock, logger: createLogger('test'), intervalMs: 1 },
  // Published: what the parent has read here must never be taken back.
  onCheckpoint: ({ note }) => process.stdout.write(`${JSON.stringify(note)}\n`),
})
for (;;) await Promise.all([1, 2, 3].map((i) => records.append(newRecord(`${i}`))))
