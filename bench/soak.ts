/**
 * A federation whose certificates live for seconds, under constant load:
 * npm run soak [-- --minutes 3 --lifetime 30s --rate 50]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startSoakFederation, type SoakGateway } from './soak/federation.ts'
import { startEcho, startLoad } from './soak/load.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    lifetime: { type: 'string', default: '30s' },
    rate: { type: 'string', default: '50' },
    keep: { type: 'boolean', default: false },
  },
})
const minutes = Number(values.minutes)
const rate = Number(values.rate)
const PROGRESS_MS = 10_000
const LOOK_MS = 1000

interface Status {
  readonly certificates: readonly { kind: string; thumbprint: string; active: boolean }[]
  readonly renewal?: readonly { kind: string; failures: number; failure?: { detail: string } }[]
}

/** Certificates that a gateway was seen to use, by kind. */
const used = new Map<string, Set<string>>()
const trouble = new Set<string>()

async function look({ name, admin }: SoakGateway): Promise<void> {
  const { certificates, renewal = [] } = await admin.call<Status>('GET', '/admin/status')
  for (const { kind, thumbprint } of certificates.filter(({ active }) => active)) {
    const key = `${name} ${kind}`
    used.set(key, (used.get(key) ?? new Set()).add(thumbprint))
  }
  for (const { kind, failure } of renewal) {
    if (failure) trouble.add(`${name} ${kind}: ${failure.detail}`)
  }
}

function percentile(times: readonly number[], share: number): string {
  const sorted = times.toSorted((a, b) => a - b)
  return `${(sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1)} ms`
}

const dir = mkdtempSync(join(tmpdir(), 'spean-soak-'))
console.log(
  `certificates of ${values.lifetime}, ${rate} calls a second, ${minutes} minutes; in ${dir}`,
)
{
  await using echo = await startEcho()
  await using federation = await startSoakFederation({
    dir,
    lifetime: values.lifetime,
    servicePort: echo.port,
    report: (line) => console.log(line),
  })
  await delay(3000) // every gateway has the last snapshot
  const load = startLoad(federation.httpPort, rate)
  const begun = performance.now()
  let printed = begun
  let counted = 0
  while (performance.now() - begun < minutes * 60_000) {
    await delay(LOOK_MS)
    await Promise.all(federation.gateways.map(look))
    if (performance.now() - printed < PROGRESS_MS) continue
    printed = performance.now()
    const last = load.times.slice(counted)
    counted = load.times.length
    const failed = [...load.failures.values()].reduce((sum, count) => sum + count, 0)
    const renewed = [...used.values()].reduce((sum, { size }) => sum + size - 1, 0)
    const seconds = Math.round((printed - begun) / 1000)
    console.log(
      `${String(seconds).padStart(5)} s  ${load.exchanges} exchanges, ${failed} failed, ${renewed} renewals, ` +
        `p50 ${percentile(last, 0.5)}, p99 ${percentile(last, 0.99)}`,
    )
  }
  await load.stop()
  console.log(`\nexchanges  ${load.exchanges}`)
  console.log(`p50, p99   ${percentile(load.times, 0.5)}, ${percentile(load.times, 0.99)}`)
  for (const [key, thumbprints] of used) console.log(`used       ${key}: ${thumbprints.size}`)
  for (const line of trouble) console.log(`renewal    ${line}`)
  for (const [code, count] of load.failures) console.log(`failed     ${count} × ${code}`)
  for (const line of load.details.slice(0, 20)) console.log(`           ${line}`)
  console.log(load.failures.size === 0 ? 'no failure' : 'FAILED')
  if (load.failures.size > 0) process.exitCode = 1
}
if (values.keep || process.exitCode === 1) console.log(`kept: ${dir}`)
else rmSync(dir, { recursive: true })
