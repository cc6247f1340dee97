/**
 * An exchange log of some size, and how fast it is searched, proved and verified:
 * npm run bench:log [-- --records 3000000 --body 1024 --seconds 60 --json --keep]
 *
 * Makes a sandbox, fills the log of one of its gateways through the real store with exchanges whose manifests are
 * all signed, brings them into the tree, and starts that gateway on it again.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { sandboxFiles } from '../examples/sandbox/config-files.ts'
import { sandboxPlan } from '../examples/sandbox/plan.ts'
import { startSandbox } from '../examples/sandbox/sandbox.ts'
import { openEncryptionKey } from '../exchange-log/encryption-key.ts'
import { startIntegrator } from '../exchange-log/integrator.ts'
import { openLogStores } from '../exchange-log/open-log.ts'
import { createRecordKeys } from '../exchange-log/record-keys.ts'
import { createContentSealer } from '../exchange-log/sealing.ts'
import { ensureKeyFile } from '../pki/keys.ts'
import { logOrigin } from '../protocol/checkpoint.ts'
import { readGatewayId } from '../protocol/identifiers.ts'
import { NOTE_TYPE, noteVerifier } from '../protocol/signed-note.ts'
import { systemClock } from '../runtime/clock.ts'
import { createLogger } from '../runtime/logger.ts'
import { fillLog, openManifestSigner, type FillOptions, type Population } from './log/fill.ts'
import { bytesOnDisk, measureEs256, measureQueries, measureVerify } from './log/measure.ts'

const OFFSET = 31_000
/** Calls that are under way at one time. */
const CALLERS = 8
const DAY_MS = 86_400_000
const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '3000000' },
    body: { type: 'string', default: '1024' },
    seconds: { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
})
const wanted = Number(values.records)
const bodyBytes = Number(values.body)
const trafficSeconds = Number(values.seconds)
if (!(wanted >= 20_000 && wanted % 2 === 0 && bodyBytes >= 0 && trafficSeconds > 0)) {
  throw new TypeError('--records is an even number from 20000 on, --body a number of bytes')
}
const say = (text: string): void => void process.stderr.write(`${text}\n`)

const population: Population = {
  clients: Array.from({ length: 40 }, (_, i) => `KH-DEV/GOV/MINISTRY${i}/SYSTEM`),
  services: Array.from({ length: 60 }, (_, i) => `KH-DEV/GOV/NCDD/GAZETTEER/service${i}`),
  begunAt: new Date(Date.now() - 31 * DAY_MS),
  spanMs: 30 * DAY_MS,
}
const dir = mkdtempSync(join(tmpdir(), 'spean-log-bench-'))
const data = join(import.meta.dirname, '..', 'examples', 'sandbox', 'data', 'provinces.csv')
const plan = sandboxPlan({ dir, offset: OFFSET, data })
const files = sandboxFiles(dir)
const { httpPort } = plan.gateways.find((gateway) => gateway.httpPort !== 0)!
const folder = join(files.gateway('ncdd').folder, 'state')

interface GatewayMemory {
  readonly calls: number
  /** Resident, after the traffic, in megabytes (proc_pid_status(5), VmRSS and VmHWM). */
  readonly rss: number
  readonly peak: number
}

/** Starts the gateway, and has it answer calls for a while. */
async function gatewayMemory(fresh: boolean): Promise<GatewayMemory> {
  await using sandbox = await startSandbox(plan, { fresh, progress: () => undefined })
  const url = `http://127.0.0.1:${httpPort}/r1/KH-DEV/GOV/NCDD/GAZETTEER/places/01`
  const headers = { 'x-road-client': 'KH-DEV/COM/MEKONGBANK/KYC' }
  const until = performance.now() + trafficSeconds * 1000
  let calls = 0
  const caller = async (): Promise<void> => {
    while (performance.now() < until) {
      const answer = await fetch(url, { headers })
      await answer.arrayBuffer()
      if (answer.status !== 200) throw new TypeError(`a call was answered with ${answer.status}`)
      calls += 1
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  const { pid } = sandbox.programs.find(({ name }) => name === 'gateway-ncdd')!
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const of = (field: string): number =>
    Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1000)
  return { calls, rss: of('VmRSS'), peak: of('VmHWM') }
}

try {
  say(`${trafficSeconds} s of calls through a gateway with an empty log`)
  const small = await gatewayMemory(true)
  const signers = {
    requestSigner: openManifestSigner('KH-DEV/COM/MEKONGBANK', files.gateway('mekongbank').signing),
    responseSigner: openManifestSigner('KH-DEV/GOV/NCDD', files.gateway('ncdd').signing),
  }
  // The next sandbox finds the log there at its first start: records of the past could not follow those of now.
  rmSync(dir, { recursive: true })
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const figures = await filledFigures(signers)
  say(`${trafficSeconds} s of calls through the gateway with the full log`)
  const large = await gatewayMemory(false)
  print({ ...figures, gatewayMegabytes: { small, large } })
} finally {
  if (values.keep) say(`kept: ${dir}`)
  else rmSync(dir, { recursive: true, force: true })
}

async function filledFigures(signers: Pick<FillOptions, 'requestSigner' | 'responseSigner'>) {
  await using stores = await openLogStores({ stateDir: folder, maxBytes: 2 ** 45 })
  const before = bytesOnDisk(folder)
  const cpu = process.cpuUsage()
  const begun = performance.now()
  let told = begun
  const clock = systemClock
  const logger = createLogger('bench')
  const encryptionKey = await openEncryptionKey(`${folder}/log-encryption.key`, { mayMake: true })
  const keys = await createRecordKeys({ key: encryptionKey, clock, logger })
  const speed = (done: number): number => Math.round(done / ((performance.now() - begun) / 1000))
  await fillLog(stores, {
    ...{ ...population, records: wanted, bodyBytes },
    sealer: createContentSealer(keys, stores.records),
    ...signers,
    progress: (done) => {
      if (performance.now() - told < 5000 && done < wanted) return
      told = performance.now()
      say(`${done} of ${wanted} records written, ${speed(done)}/s`)
    },
  })
  const writtenPerSecond = speed(wanted)
  const { user, system } = process.cpuUsage(cpu)
  const cpuMicrosPerWrite = Math.round((user + system) / wanted)
  say('bringing them into the tree')
  const { privateKey } = await ensureKeyFile(`${folder}/log.key`, 'Ed25519', {})
  const origin = logOrigin(readGatewayId('KH-DEV/GOV/NCDD/NCDD-1'))
  const key = { privateKey, verifier: noteVerifier(origin, privateKey, NOTE_TYPE.ed25519) }
  const treeBegun = performance.now()
  {
    await using integrator = startIntegrator({ ...stores, key, clock, logger })
    await integrator.integrateNow()
  }
  const integratedPerSecond = Math.round(wanted / ((performance.now() - treeBegun) / 1000))
  const bytesPerExchange = Math.round((bytesOnDisk(folder) - before) / (wanted / 2))
  say('searching and proving')
  const queries = await measureQueries(stores, population)
  say('verifying commitments and tree, then signatures too')
  const logKey = key.verifier
  const verify = await measureVerify(folder, { logKey })
  const es256 = await measureEs256(stores)
  const verifyWithSignatures = await measureVerify(folder, { logKey, signatures: true })
  return {
    ...{ records: wanted, exchanges: wanted / 2, bodyBytes, writtenPerSecond, integratedPerSecond },
    ...{ cpuMicrosPerWrite, bytesPerExchange, ...queries, verify, es256, verifyWithSignatures },
    signaturesShareOfEs256:
      Math.round((verifyWithSignatures.recordsPerCpuSecond / es256.rawPerCpuSecond) * 100) / 100,
  }
}

function print(figures: Record<string, unknown>): void {
  if (!values.json) {
    for (const [name, value] of Object.entries(figures)) {
      say(`${name.padEnd(24)} ${JSON.stringify(value)}`)
    }
  }
  process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`)
}
