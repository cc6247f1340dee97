import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ConfigError } from '../../runtime/config.ts'
import { writeFileAtomically } from '../../runtime/private-file.ts'

/** Who runs in a sandbox's folder, so that a start after a crash finds what the crash left. */
interface Running {
  readonly sandbox: number
  readonly programs: readonly number[]
}

const fileIn = (dir: string): string => join(dir, 'running.json')
const STOP_MS = 10_000

export function noteRunning(dir: string, programs: readonly number[]): void {
  const running: Running = { sandbox: process.pid, programs }
  writeFileAtomically(fileIn(dir), JSON.stringify(running))
}

export function noteStopped(dir: string): void {
  rmSync(fileIn(dir), { force: true })
}

/**
 * Stops programs of a sandbox that was killed.
 *
 * @throws ConfigError when a sandbox is running in this folder.
 */
export async function clearLeftovers(dir: string): Promise<void> {
  if (!existsSync(fileIn(dir))) return
  const { sandbox, programs } = JSON.parse(readFileSync(fileIn(dir), 'utf8')) as Running
  if (isOurs(sandbox, 'sandbox')) {
    throw new ConfigError(
      `a sandbox is already running in ${dir} (process ${sandbox}); stop it first`,
    )
  }
  const left = programs.filter((pid) => isOurs(pid, dir))
  for (const pid of left) process.kill(pid, 'SIGTERM')
  const until = performance.now() + STOP_MS
  while (left.some((pid) => isOurs(pid, dir))) {
    if (performance.now() > until) {
      for (const pid of left) if (isOurs(pid, dir)) process.kill(pid, 'SIGKILL')
    }
    await delay(50)
  }
  noteStopped(dir)
}

/** Process ids are used again: this one must be running a program with `mark` in its command line. */
function isOurs(pid: number, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark)
  } catch {
    return false
  }
}
