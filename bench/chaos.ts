/**
 * Gateways that are killed at any moment, under load:
 * npm run chaos -- [--kills 100] [--store sqlite] [--seed N] [--keep]
 *
 * Ends with 1 when anything of the exchange log is not as it must be.
 */
import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ConfigError } from '../runtime/config.ts'
import { runChaos } from './chaos/run.ts'
import { openStore, STORES, type StoreKind } from './chaos/store.ts'

const USAGE = `chaos [--kills N] [--store ${STORES.join('|')}] [--seed N] [--keep]\n`

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    store: { type: 'string', default: 'sqlite' },
    seed: { type: 'string', default: String(randomInt(2 ** 32)) },
    keep: { type: 'boolean', default: false },
  },
})
const [kills, seed] = [values.kills, values.seed].map(Number) as [number, number]
const areNumbers = [kills, seed].every((number) => Number.isSafeInteger(number) && number >= 0)
if (!areNumbers || kills === 0 || !STORES.includes(values.store as StoreKind)) {
  process.stderr.write(USAGE)
  process.exitCode = 2
} else {
  const dir = mkdtempSync(join(tmpdir(), 'spean-chaos-'))
  console.log(`${kills} kills, logs in ${values.store}, seed ${seed}; in ${dir}`)
  await using store = await openStore(values.store as StoreKind, dir)
  const report = (line: string): void => console.log(line)
  const findings = await runChaos({ dir, kills, seed, store, report }).catch((error: unknown) => {
    if (error instanceof ConfigError) return [error.message] // a program did not come back
    throw error
  })
  for (const line of findings) console.log(`FAILED  ${line}`)
  if (findings.length === 0) console.log('nothing was lost, and nothing forked')
  else process.exitCode = 1
  if (values.keep || findings.length > 0) console.log(`kept: ${dir}`)
  else rmSync(dir, { recursive: true })
}
