/**
 * A federation whose certificates live for seconds, under constant load:
 * npm run soak [-- --minutes 3 --lifetime 30s --rate 50 --keep]
 *
 * Ends with 1 when an exchange was lost, or when so little was renewed or called that the run proves nothing.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { DURATION_PATTERN, parseDuration } from '../runtime/duration.ts'
import { startSoakFederation, type SoakGateway } from './soak/federation.ts'
import { startEcho, startLoad, type Load } from './soak/load.ts'
import { faultsOf } from './soak/verdict.ts'

interface Options {
  readonly minutes: number
  readonly lifetime: string
  readonly rate: number
  readonly dir: string
}
interface Status {
  readonly certificates: readonly { kind: string; thumbprint: string; active: boolean }[]
  readonly renewal?: readonly { kind: string; failures: number; failure?: { detail: string } }[]
}

const PROGRESS_MS = 10_000
const LOOK_MS = 1000

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    lifetime: { type: 'string', default: '30s' },
    rate: { type: 'string', default: '50' },
    keep: { type: 'boolean', default: false },
  },
})
const [minutes, rate] = [values.minutes, values.rate].map(Number) as [number, number]
const areNumbers = [minutes, rate].every((number) => Number.isFinite(number) && number > 0)
if (!areNumbers || !new RegExp(DURATION_PATTERN).test(values.lifetime)) {
  process.stderr.write('soak [--minutes N] [--lifetime 30s|5m] [--rate N] [--keep]\n')
  process.exitCode = 2
} else {
  const dir = mkdtempSync(join(tmpdir(), 'spean-soak-'))
  const { lifetime } = values
  console.log(`certificates of ${lifetime}, ${rate} calls a second, ${minutes} minutes; in ${dir}`)
  const faults = await soak({ minutes, lifetime, rate, dir })
  for (const line of faults) console.log(`FAILED     ${line}`)
  if (faults.length === 0) console.log('no failure')
  else process.exitCode = 1
  if (values.keep || faults.length > 0) console.log(`kept: ${dir}`)
  else rmSync(dir, { recursive: true })
}

async function soak({ minutes, lifetime, rate, dir }: Options): Promise<string[]> {
  await using echo = await startEcho()
  await using federation = await startSoakFederation({
    dir,
    lifetime,
    servicePort: echo.port,
    report: (line) => console.log(line),
  })
  await delay(3000) // every gateway has the last snapshot
  const load = startLoad(federation.httpPort, rate)
  const seen = createObserver(federation.gateways)
  const begun = performance.now()
  let printed = begun
  let counted = 0
  while (performance.now() - begun < minutes * 60_000) {
    await delay(LOOK_MS)
    await seen.look()
    if (performance.now() - printed < PROGRESS_MS) continue
    printed = performance.now()
    printProgress(load, { counted, renewed: seen.renewed(), ms: printed - begun })
    counted = load.times.length
  }
  const durationMs = performance.now() - begun
  const unfinished = await load.stop()
  const { exchanges, failures } = load
  const { used } = seen
  printResult(load, seen)
  const lifetimeMs = parseDuration(lifetime)
  return faultsOf({ exchanges, failures, unfinished, rate, durationMs, lifetimeMs, used })
}

interface Observer {
  /** Certificates that a gateway was seen to use, by gateway and kind. */
  readonly used: ReadonlyMap<string, ReadonlySet<string>>
  /** Failures of renewals, in words. */
  readonly trouble: ReadonlySet<string>
  readonly look: () => Promise<void>
  readonly renewed: () => number
}

function createObserver(gateways: readonly SoakGateway[]): Observer {
  const used = new Map<string, Set<string>>()
  const trouble = new Set<string>()
  const lookAt = async ({ name, admin }: SoakGateway): Promise<void> => {
    const { certificates, renewal = [] } = await admin.call<Status>('GET', '/admin/status')
    for (const { kind, thumbprint } of certificates.filter(({ active }) => active)) {
      const key = `${name} ${kind}`
      used.set(key, (used.get(key) ?? new Set()).add(thumbprint))
    }
    for (const { kind, failure } of renewal) {
      if (failure) trouble.add(`${name} ${kind}: ${failure.detail}`)
    }
  }
  return {
    used,
    trouble,
    look: async () => void (await Promise.all(gateways.map(lookAt))),
    renewed: () => [...used.values()].reduce((sum, { size }) => sum + size - 1, 0),
  }
}

function printProgress(
  load: Load,
  { counted, renewed, ms }: { counted: number; renewed: number; ms: number },
): void {
  const last = load.times.slice(counted)
  const failed = [...load.failures.values()].reduce((sum, count) => sum + count, 0)
  console.log(
    `${String(Math.round(ms / 1000)).padStart(5)} s  ${load.exchanges} exchanges, ${failed} failed, ` +
      `${renewed} renewals, p50 ${percentile(last, 0.5)}, p99 ${percentile(last, 0.99)}`,
  )
}

function printResult(load: Load, { used, trouble }: Observer): void {
  console.log(`\nexchanges  ${load.exchanges}`)
  console.log(`p50, p99   ${percentile(load.times, 0.5)}, ${percentile(load.times, 0.99)}`)
  for (const [key, thumbprints] of used) console.log(`used       ${key}: ${thumbprints.size}`)
  for (const line of trouble) console.log(`renewal    ${line}`)
  for (const [code, count] of load.failures) console.log(`failed     ${count} × ${code}`)
  for (const line of load.details.slice(0, 20)) console.log(`           ${line}`)
}

function percentile(times: readonly number[], share: number): string {
  const sorted = times.toSorted((a, b) => a - b)
  return `${(sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1)} ms`
}
