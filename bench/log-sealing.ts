/**
 * What it costs to keep header block and body: time on the main thread for each record, and records per second
 * that the store takes with and without content: node bench/log-sealing.ts [RECORDS]
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createExchangeLog } from '../gateway/exchange-log/log.ts'
import { openEncryptionKey } from '../exchange-log/encryption-key.ts'
import { openLogStores } from '../exchange-log/open-log.ts'
import type { ExchangeEntry, Keeping } from '../exchange-log/record.ts'
import { createRecordKeys } from '../exchange-log/record-keys.ts'
import { createContentSealer } from '../exchange-log/sealing.ts'
import { createLogger } from '../runtime/logger.ts'
import { EMPTY_BODY, type SpooledBody } from '../runtime/spool.ts'
import type { HeaderBlock } from '../protocol/header-block.ts'

const RECORDS = Number(process.argv[2] ?? 20_000)
const UNDER_WAY = 256
const logger = createLogger('bench', 'silent')
const clock = (): Date => new Date()

const bytes = randomBytes(2048)
const digest = createHash('sha256').update(bytes).digest('base64url')
const body: SpooledBody = { ...EMPTY_BODY, size: bytes.length, digest, bytes }
const headers: HeaderBlock = Array.from({ length: 12 }, (_, i) => [`x-header-${i}`, 'v'.repeat(30)])
const manifest = 'm'.repeat(1400)
const entry = (i: number): ExchangeEntry => ({
  exchangeId: crypto.randomUUID(),
  side: 'client',
  kind: 'request',
  at: clock(),
  client: `KH/GOV/MEMBER-${i % 50}/SYSTEM`,
  service: `KH/GOV/REGISTRY-${i % 20}/SYSTEM/service`,
  method: 'POST',
  target: '/r1/KH/GOV/REGISTRY/SYSTEM/service/persons/12345',
  messageId: crypto.randomUUID(),
  userId: `user-${i % 1000}`,
  issue: `case-${i}`,
  manifest,
  bodyBytes: bytes.length,
})

const dir = mkdtempSync(join(tmpdir(), 'spean-log-sealing-'))
const key = await openEncryptionKey(join(dir, 'key'), { mayMake: true })
const keys = await createRecordKeys({ key, clock, logger })

const sealer = createContentSealer(keys, { stage: () => Promise.resolve() })
const commitment = randomBytes(32)
for (let i = 0; i < 2000; i += 1) (await sealer.seal({ headers, body }, 'full'))!.bind(commitment)
const begun = performance.now()
for (let i = 0; i < RECORDS; i += 1) {
  ;(await sealer.seal({ headers, body }, 'full'))!.bind(commitment)
}
const micros = ((performance.now() - begun) * 1000) / RECORDS
console.log(`sealing 2 KB and 12 headers: ${micros.toFixed(1)} µs for each record`)

for (const keep of ['none', 'digest', 'full'] satisfies Keeping[]) {
  const stateDir = join(dir, keep)
  await using stores = await openLogStores({ stateDir, maxBytes: 1e12 })
  const privacy = {
    sealer: createContentSealer(keys, stores.records),
    rules: [{ keep }],
    classificationOf: () => undefined,
  }
  const log = createExchangeLog(stores.records, { clock, logger, privacy })
  let next = 0
  const caller = async (): Promise<void> => {
    while (next < RECORDS) await log.record(entry((next += 1)), { headers, body })
  }
  const start = performance.now()
  const cpu = process.threadCpuUsage()
  await Promise.all(Array.from({ length: UNDER_WAY }, caller))
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.threadCpuUsage(cpu)
  const { bytes: size } = await stores.records.extent()
  const wal = statSync(join(stateDir, 'exchange-log.db-wal')).size
  console.log(
    `kept ${keep.padEnd(6)}: ${Math.round(RECORDS / seconds)} records/s, main thread ` +
      `${((user + system) / RECORDS).toFixed(1)} µs and ${Math.round(size / RECORDS)} bytes for each, ` +
      `write-ahead log ${Math.round(wal / 1_000_000)} MB`,
  )
}
rmSync(dir, { recursive: true, force: true })
