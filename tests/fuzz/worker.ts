/** Runs one decoder over its inputs, in a thread of its own that can be ended when it hangs. */
import { parentPort, workerData } from 'node:worker_threads'
import { CertificateError } from '../../pki/certificate.ts'
import { DerError } from '../../pki/der.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { MerkleError } from '../../protocol/merkle-tree.ts'
import { NoteError } from '../../protocol/signed-note.ts'
import type { Decoders } from './decoders.ts'
import { mutate } from './mutate.ts'
import { createRandom } from './random.ts'
import type { Finding, WorkerReport, WorkerTask } from './run.ts'

const task = workerData as WorkerTask
const { DECODERS } = (await import(task.decodersUrl)) as { DECODERS: Decoders }
const { seeds, decode } = DECODERS[task.decoder]!
const progress = new Int32Array(task.progress)
const report: WorkerReport = { outcomes: {}, findings: [], slowest: { index: 0, milliseconds: 0 } }

for (let index = task.from; index < task.from + task.runs; index += 1) {
  Atomics.store(progress, 0, index)
  const bytes = mutate(seeds, createRandom(task.seed, task.decoder, index))
  const { outcome, milliseconds } = run(bytes)
  if (milliseconds > report.slowest.milliseconds) report.slowest = { index, milliseconds }
  const finding = findingOf(outcome, milliseconds)
  const name = typeof outcome === 'string' ? outcome : 'crash'
  report.outcomes[name] = (report.outcomes[name] ?? 0) + 1
  if (finding !== undefined) report.findings.push({ index, hex: bytes.toString('hex'), ...finding })
}
parentPort!.postMessage(report)

function run(bytes: Buffer): { outcome: unknown; milliseconds: number } {
  const first = timed(bytes)
  // What is compiled or collected on the way is no finding: the second time counts as well.
  if (first.milliseconds <= task.limitMs) return first
  const second = timed(bytes)
  return second.milliseconds < first.milliseconds ? second : first
}

function timed(bytes: Buffer): { outcome: unknown; milliseconds: number } {
  const start = process.threadCpuUsage()
  const outcome = outcomeOf(bytes)
  const { user, system } = process.threadCpuUsage(start)
  return { outcome, milliseconds: (user + system) / 1000 }
}

/** A code, `read`, or the error that should not have been. */
function outcomeOf(bytes: Buffer): unknown {
  try {
    decode(bytes)
    return 'read'
  } catch (error) {
    // These have one meaning each, and no code.
    if (error instanceof NoteError || error instanceof MerkleError) return error.name
    const known = [DerError, CertificateError, ExchangeError].find((kind) => error instanceof kind)
    return known === undefined ? error : (error as { code: string }).code
  }
}

function findingOf(
  outcome: unknown,
  milliseconds: number,
): Pick<Finding, 'kind' | 'text'> | undefined {
  if (outcome instanceof Error) return { kind: 'crash', text: outcome.stack ?? outcome.message }
  if (typeof outcome !== 'string') return { kind: 'crash', text: String(outcome) }
  if (milliseconds <= task.limitMs) return undefined
  return { kind: 'slow', text: `${Math.round(milliseconds)} ms` }
}
