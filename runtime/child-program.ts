import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs'
import { once } from 'node:events'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ConfigError } from './config.ts'

/** One of our programs, running beside this one. */
export interface ChildProgram extends AsyncDisposable {
  readonly name: string
  readonly pid: number
  readonly logFile: string
  /** Resolves when it has ended, however. */
  readonly ended: Promise<unknown>
  /** Sends a signal; SIGKILL ends it as a power cut would. */
  kill(signal: NodeJS.Signals): void
}

interface Options {
  readonly name: string
  /** Its `main.ts`. */
  readonly file: string
  readonly args: readonly string[]
  /** What it prints is appended here. */
  readonly logFile: string
  readonly env?: NodeJS.ProcessEnv
  /** Told of the process as soon as there is one, ready or not. */
  readonly onSpawn?: (pid: number) => void
  /** Gives the start up. */
  readonly signal?: AbortSignal
}

const START_MS = 30_000
const STOP_MS = 15_000
const LOOK_MS = 20

/**
 * Starts a program and resolves when it has logged that it is ready. Its output goes straight to a
 * file: it needs us no more.
 *
 * @throws ConfigError with what it said last, when it ends first.
 */
export async function startProgram(options: Options): Promise<ChildProgram> {
  const { name, file, args, logFile, env } = options
  mkdirSync(dirname(logFile), { recursive: true })
  const output = openSync(logFile, 'a', 0o600)
  const before = statSync(logFile).size
  const child = spawn(process.execPath, [file, ...args], {
    stdio: ['ignore', output, output],
    // Of its own process group: Ctrl-C is for us, who stop the programs in the right order.
    detached: true,
    // Its log says when it is ready, whatever level this process logs at.
    env: { ...process.env, LOG_LEVEL: 'info', ...env },
  })
  closeSync(output)
  const ended = once(child, 'exit')
  if (child.pid !== undefined) options.onSpawn?.(child.pid)
  const said = (): string => readFileSync(logFile).subarray(before).toString('utf8')
  const begun = performance.now()
  while (!/"msg":"[a-z ]+ ready"/.test(said())) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new ConfigError(
        `${name} did not start:\n${said().trim().split('\n').slice(-5).join('\n')}`,
      )
    }
    if (options.signal?.aborted) {
      await stop(child, ended)
      throw new ConfigError(`${name} was stopped while it started`)
    }
    if (performance.now() - begun > START_MS) {
      child.kill('SIGKILL')
      throw new ConfigError(`${name} was not ready after ${START_MS / 1000} s; see ${logFile}`)
    }
    await delay(LOOK_MS)
  }
  return {
    name,
    pid: child.pid!,
    logFile,
    ended,
    kill: (signal) => void child.kill(signal),
    [Symbol.asyncDispose]: () => stop(child, ended),
  }
}

async function stop(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  const cut = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await ended
  clearTimeout(cut)
}
