/**
 * How long a record waits for a checkpoint, for cosignatures, and to be shown to the world:
 * npm run bench:checkpoints [-- --seconds 30 --rate 200 --witnesses 10 --slow-ms 2000]
 *
 * The store, the integrator and the submission of a gateway, with real witnesses over HTTP that answer late.
 */
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startIntegrator } from '../exchange-log/integrator.ts'
import { commitmentOf, newSalt, recordText, type LogRecord } from '../exchange-log/record.ts'
import { openSqliteLogStore } from '../exchange-log/store-sqlite.ts'
import { openSqliteTreeStore } from '../exchange-log/tree-store-sqlite.ts'
import { startCosigning } from '../gateway/transparency/cosigning.ts'
import { createServedCheckpoint } from '../gateway/transparency/served-checkpoint.ts'
import { createStoreGuard } from '../gateway/transparency/store-guard.ts'
import { createWitnessClient } from '../gateway/transparency/witness-client.ts'
import { formatVkey, NOTE_TYPE, noteVerifier, type NoteType } from '../protocol/signed-note.ts'
import { parsePolicy } from '../protocol/tlog-policy.ts'
import { systemClock } from '../runtime/clock.ts'
import { listen } from '../runtime/lifecycle.ts'
import { createLogger } from '../runtime/logger.ts'
import { openWitnessState } from '../witness/witness-state.ts'
import { createWitness, type WitnessKey } from '../witness/witness.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '30' },
    rate: { type: 'string', default: '200' },
    witnesses: { type: 'string', default: '10' },
    'slow-ms': { type: 'string', default: '2000' },
  },
})
const [seconds, rate] = [Number(values.seconds), Number(values.rate)]
const [count, slowMs] = [Number(values.witnesses), Number(values['slow-ms'])]
const logger = createLogger('bench', 'error')
const clock = systemClock

await using scope = new AsyncDisposableStack()
const dir = mkdtempSync(join(tmpdir(), 'checkpoints-'))
scope.defer(() => rmSync(dir, { recursive: true, force: true }))
const key = newKey('spean/KH/BENCH/A/A-1/log', NOTE_TYPE.ed25519)
const records = scope.use(
  await openSqliteLogStore(join(dir, 'exchange-log.db'), { maxBytes: 1e10 }),
)
const tree = scope.use(openSqliteTreeStore(join(dir, 'log-tree.db')))
const client = scope.use(createWitnessClient(() => ({ authorities: [], isListed: () => false })))
const guard = createStoreGuard({ records, tree, log: key.verifier, client, clock, logger })
const lines = await Promise.all(Array.from({ length: count }, (_, i) => startWitness(i)))
const names = lines.map((_, i) => `w${i}`)
const policy = parsePolicy(
  [
    `log ${formatVkey(key.verifier)}`,
    ...lines,
    ...(count === 0 ? ['quorum none'] : [`group g ${Math.ceil(count / 2)} ${names.join(' ')}`]),
    ...(count === 0 ? [] : ['quorum g']),
  ].join('\n'),
)

/** When each position was recorded, and was first seen to be covered. */
const recordedMs: number[] = []
const signedMs: number[] = []
const witnessedMs: number[] = []
const servedMs: number[] = []
const own = newKey('own', NOTE_TYPE.cosignature).verifier
const cosigning = scope.use(
  startCosigning({ tree, own, policy: () => policy, client, guard, clock, logger }),
)
const integrator = scope.use(
  startIntegrator({
    ...{ records: guard.records, tree, key, clock, logger },
    onCheckpoint: ({ size }) => {
      mark(signedMs, size)
      cosigning.wake()
    },
  }),
)
const serve = createServedCheckpoint(tree, clock)
const end = performance.now() + seconds * 1000
let [polls, cosigned] = [0, 0]
await Promise.all([write(), watch()])
await integrator.integrateNow()

const report = (label: string, seen: readonly number[]): void => {
  const waits = seen.map((ms, i) => ms - recordedMs[i]!).sort((a, b) => a - b)
  const at = (share: number): string =>
    `${Math.round(waits[Math.min(waits.length - 1, Math.floor(waits.length * share))] ?? NaN)} ms`
  console.log(`${label}: p50 ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)} (${waits.length})`)
}
console.log(
  `${recordedMs.length} records in ${seconds} s; ${count} witnesses that wait ${slowMs} ms`,
)
report('record to checkpoint', signedMs)
report('record to enough cosignatures', witnessedMs)
report('record to served checkpoint', servedMs)
console.log(`served with enough cosignatures: ${Math.round((100 * cosigned) / polls)} %`)
console.log(`load ${loadavg()[0]!.toFixed(1)}`)

async function write(): Promise<void> {
  const begun = performance.now()
  for (let i = 0; performance.now() < end;) {
    const due = Math.floor(((performance.now() - begun) / 1000) * rate)
    await Promise.all(Array.from({ length: Math.max(0, due - i) }, append))
    i = Math.max(i, due)
    await sleep(5)
  }
}
async function append(): Promise<void> {
  const at = new Date()
  const record: LogRecord = {
    ...{ exchangeId: crypto.randomUUID(), side: 'client', kind: 'refusal' },
    ...{ at, recordedAt: at, code: 'access.denied', detail: 'none' },
  }
  const salt = newSalt()
  const position = await guard.records.append({
    ...{ record, salt, commitment: commitmentOf(salt, recordText(record)) },
  })
  recordedMs[position - 1] = performance.now()
}
async function watch(): Promise<void> {
  while (performance.now() < end) {
    await sleep(20)
    const served = await serve()
    mark(servedMs, served?.size ?? 0)
    mark(witnessedMs, (await tree.witnessedHead())?.size ?? 0)
    polls += 1
    if (served?.witnessedAt !== undefined) cosigned += 1
  }
}
function mark(seen: number[], size: number): void {
  const now = performance.now()
  while (seen.length < size) seen.push(now)
}
function newKey(name: string, type: NoteType): WitnessKey {
  const { privateKey } = generateKeyPairSync('ed25519')
  return { privateKey, verifier: noteVerifier(name, privateKey, type) }
}
/** @returns its line of the policy. */
async function startWitness(i: number): Promise<string> {
  const own = newKey(`witness${i}`, NOTE_TYPE.cosignature)
  const state = scope.use(openWitnessState(join(dir, `witness${i}.db`)))
  const witness = createWitness({
    ...{ key: own, state, clock, logger, keysOf: () => [key.verifier] },
  })
  const server = createServer((request, response) => {
    const answerLate = async (): Promise<void> => {
      const body = await text(request)
      await sleep(slowMs)
      const { status, type, text: answer } = await witness.addCheckpoint(body)
      response.writeHead(status, { 'content-type': type }).end(answer)
    }
    answerLate().catch(() => response.destroy())
  })
  const { port } = scope.use(await listen(server, 0))
  return `witness w${i} ${formatVkey(own.verifier)} http://127.0.0.1:${port}`
}
