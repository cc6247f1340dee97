/** One path under one load: what the caller sees, and what it costs those in between. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { LoadOptions, LoadResult } from './load.ts'
import type { Path } from './paths.ts'

export type Load = Pick<LoadOptions, 'bytes' | 'connections' | 'rate'>
export interface Measured {
  /** Answered calls a second. */
  readonly throughput: number
  /** In microseconds. */
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly failed: LoadResult['failed']
  /** Processor time of each process, for each answered call, in microseconds. */
  readonly cpu: Readonly<Record<string, number>>
  /** Resident memory of each process at its peak during the load, in megabytes (proc_pid_status(5), VmHWM). */
  readonly memory: Readonly<Record<string, number>>
}

const run = promisify(execFile)
/** Of processor time in /proc: 100 on every Linux (sysconf(3), _SC_CLK_TCK). */
const TICKS_PER_SECOND = 100

export async function measure(path: Path, load: Load, seconds: number): Promise<Measured> {
  const { url, headers, processes } = path
  const warmSeconds = Math.min(1, seconds / 3)
  const options: LoadOptions = { url, headers, seconds, warmSeconds, ...load }
  const pids = Object.entries(processes)
  const before = pids.map(([, pid]) => cpuMicros(pid))
  const args = [join(import.meta.dirname, 'load.ts'), JSON.stringify(options)]
  const { stdout } = await run(process.execPath, args)
  const result = JSON.parse(stdout) as LoadResult
  // Warm calls cost as much as others, and are not counted
  const share = seconds / (seconds + warmSeconds)
  const perCall = (micros: number): number => Math.round((micros * share) / result.answered)
  return {
    throughput: result.answered / result.seconds,
    p50: result.p50,
    p95: result.p95,
    p99: result.p99,
    failed: result.failed,
    cpu: Object.fromEntries(
      pids.map(([name, pid], i) => [name, perCall(cpuMicros(pid) - (before[i] ?? 0))]),
    ),
    memory: Object.fromEntries(pids.map(([name, pid]) => [name, peakMegabytes(pid)])),
  }
}

/** User and system time of a process and its threads (proc_pid_stat(5), fields 14 and 15). */
function cpuMicros(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'ascii')
  // The name before it may hold blanks
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1_000_000
}

function peakMegabytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1000)
}
