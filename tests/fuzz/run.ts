import { Worker } from 'node:worker_threads'
import type { Decoders } from './decoders.ts'
import { mutate } from './mutate.ts'
import { createRandom } from './random.ts'

/** An input that did not end as it must, with what is needed to have it again. */
export interface Finding {
  readonly kind: 'crash' | 'slow' | 'hang'
  readonly index: number
  readonly hex: string
  readonly text: string
}

export interface WorkerTask {
  readonly decodersUrl: string
  readonly decoder: string
  readonly seed: number
  readonly from: number
  readonly runs: number
  readonly limitMs: number
  /** One Int32: the index that is being decoded. */
  readonly progress: SharedArrayBuffer
}

export interface WorkerReport {
  /** How often each outcome came: `read`, or the code of the refusal. */
  readonly outcomes: Record<string, number>
  readonly findings: Finding[]
  slowest: { index: number; milliseconds: number }
}

export interface FuzzOptions {
  readonly decoder: string
  readonly runs: number
  /** The same seed gives the same inputs. */
  readonly seed: number
  /** What one input may take, of the processor's time. */
  readonly limitMs?: number
  /** When an input is taken for endless, by the clock on the wall. */
  readonly hangMs?: number
  /** A module that exports DECODERS; the table beside this file unless told otherwise. */
  readonly decodersUrl?: string
  readonly onProgress?: (done: number) => void
}

const LOOK_MS = 500

/** Runs a decoder over inputs 0 to `runs` - 1 of a seed, and goes on behind an input that hangs. */
export async function fuzz(options: FuzzOptions): Promise<WorkerReport & { seconds: number }> {
  const start = performance.now()
  const total: WorkerReport = { outcomes: {}, findings: [], slowest: { index: 0, milliseconds: 0 } }
  for (let from = 0; from < options.runs;) {
    const part = await runPart(options, from)
    for (const [outcome, count] of Object.entries(part.outcomes)) {
      total.outcomes[outcome] = (total.outcomes[outcome] ?? 0) + count
    }
    total.findings.push(...part.findings)
    if (part.slowest.milliseconds > total.slowest.milliseconds) total.slowest = part.slowest
    from = part.next
  }
  return { ...total, seconds: (performance.now() - start) / 1000 }
}

type Part = WorkerReport & { next: number }

/** Ends at the last input, or behind one that hangs: what was counted before that one is lost with its thread. */
async function runPart(options: FuzzOptions, from: number): Promise<Part> {
  const { decoder, seed, runs, limitMs = 250, hangMs = 10_000, onProgress } = options
  const decodersUrl = options.decodersUrl ?? new URL('./decoders.ts', import.meta.url).href
  const progress = new SharedArrayBuffer(4)
  const at = new Int32Array(progress)
  at[0] = -1
  const workerData: WorkerTask = {
    decodersUrl,
    decoder,
    seed,
    from,
    runs: runs - from,
    limitMs,
    progress,
  }
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData })
  const { promise, resolve, reject } = Promise.withResolvers<Part>()
  worker.once('message', (report: WorkerReport) => resolve({ ...report, next: runs }))
  worker.once('error', reject)
  const watch = watchProgress(at, hangMs, (index) => {
    if (index !== undefined) return onProgress?.(index)
    void hangOf(options, decodersUrl, at[0]!).then(resolve, reject)
  })
  try {
    return await promise
  } finally {
    clearInterval(watch)
    await worker.terminate()
  }
}

/** Tells the index now and then; undefined once it has stood still for too long. */
function watchProgress(
  at: Int32Array,
  hangMs: number,
  tell: (index: number | undefined) => void,
): NodeJS.Timeout {
  let last = { index: -1, since: performance.now() }
  return setInterval(() => {
    const index = Atomics.load(at, 0)
    if (index !== last.index) last = { index, since: performance.now() }
    // Before the first input the modules are loaded.
    const hangs = index >= 0 && performance.now() - last.since > hangMs
    tell(hangs ? undefined : index)
  }, LOOK_MS)
}

async function hangOf(options: FuzzOptions, decodersUrl: string, index: number): Promise<Part> {
  const { DECODERS } = (await import(decodersUrl)) as { DECODERS: Decoders }
  const random = createRandom(options.seed, options.decoder, index)
  const hex = mutate(DECODERS[options.decoder]!.seeds, random).toString('hex')
  const finding: Finding = { kind: 'hang', index, hex, text: 'does not end' }
  const slowest = { index, milliseconds: Infinity }
  return { outcomes: { hang: 1 }, findings: [finding], slowest, next: index + 1 }
}
