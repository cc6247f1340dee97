/**
 * Sends calls for some seconds and prints what came of them, as JSON: `load.ts OPTIONS` (`LoadOptions` in JSON).
 * A process of its own, so that what it costs is none of the gateways'.
 */
import { createHistogram } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { Client, Pool } from 'undici'
import { recordOf } from './record.ts'

export interface LoadOptions {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: number
  /** In a closed loop each has one call under way; in an open one they are what there is for all. */
  readonly connections: number
  readonly seconds: number
  /** Not counted, before. */
  readonly warmSeconds: number
  /** Calls a second that arrive on a clock, whether others have been answered or not; left out: a closed loop. */
  readonly rate?: number
}
export interface LoadResult {
  readonly answered: number
  /** By status or code of the error; whatever is not 200. */
  readonly failed: Readonly<Record<string, number>>
  readonly seconds: number
  /** In microseconds, from when a call was due. */
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

const options = JSON.parse(process.argv[2]!) as LoadOptions
const { origin, pathname } = new URL(options.url)
const body = recordOf(options.bytes)
const histogram = createHistogram()
const failed: Record<string, number> = {}
let answered = 0
let countedFrom = Infinity

const request = {
  method: 'POST',
  path: pathname,
  headers: { 'content-type': 'application/json', ...options.headers },
  body,
} as const

async function call(client: Client | Pool, dueAt: number): Promise<void> {
  let outcome = '200'
  try {
    const { statusCode, body: answer } = await client.request(request)
    let length = 0
    for await (const chunk of answer as AsyncIterable<Buffer>) length += chunk.length
    if (statusCode !== 200) outcome = String(statusCode)
    else if (length !== body.length) outcome = 'another length'
  } catch (error) {
    outcome = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
  const now = performance.now()
  if (dueAt < countedFrom) return
  if (outcome === '200') {
    answered += 1
    histogram.record(Math.max(1, Math.round((now - dueAt) * 1000)))
  } else {
    failed[outcome] = (failed[outcome] ?? 0) + 1
  }
}

const begun = performance.now()
const ends = begun + (options.warmSeconds + options.seconds) * 1000
countedFrom = begun + options.warmSeconds * 1000

async function closedLoop(): Promise<void> {
  const client = new Client(origin, { pipelining: 1 })
  while (performance.now() < ends) await call(client, performance.now())
  await client.close()
}

async function openLoop(rate: number): Promise<void> {
  const pool = new Pool(origin, { connections: options.connections })
  const calls: Promise<void>[] = []
  for (let sent = 0; ;) {
    const now = performance.now()
    if (now >= ends) break
    for (; begun + (sent * 1000) / rate <= now; sent += 1) {
      calls.push(call(pool, begun + (sent * 1000) / rate))
    }
    await delay(1)
  }
  await Promise.all(calls)
  await pool.close()
}

if (options.rate === undefined) {
  await Promise.all(Array.from({ length: options.connections }, closedLoop))
} else {
  await openLoop(options.rate)
}
const result: LoadResult = {
  answered,
  failed,
  seconds: (Math.min(performance.now(), ends) - countedFrom) / 1000,
  p50: histogram.percentile(50),
  p95: histogram.percentile(95),
  p99: histogram.percentile(99),
  max: answered === 0 ? 0 : histogram.max,
}
process.stdout.write(`${JSON.stringify(result)}\n`)
