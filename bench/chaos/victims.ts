/** Gateways that are killed and started again. */
import { join } from 'node:path'
import { startProgram, type ChildProgram } from '../../runtime/child-program.ts'
import type { Random } from '../../tests/fuzz/random.ts'

export interface Victim extends AsyncDisposable {
  readonly name: string
  /** Kills it, and starts it again; now and then it is killed once more while it starts. @returns the kills. */
  kill(random: Random): Promise<number>
  /** Milliseconds of each start that came to its end. */
  readonly startsMs: readonly number[]
}

const ROOT = join(import.meta.dirname, '..', '..')
/** One of so many starts is not let come to its end. */
const CUT_STARTS = 5
const START_MS = 1500

/** @param program runs already; it is taken over. */
export function createVictim(options: {
  readonly name: string
  readonly configFile: string
  readonly logDir: string
  /** Of the programs' compiled code: a start takes half the time. */
  readonly cacheDir: string
  readonly program: ChildProgram
}): Victim {
  const { name, configFile, logDir, cacheDir } = options
  let { program } = options
  let starts = 0
  const startsMs: number[] = []
  const start = async (killAfterMs?: number): Promise<ChildProgram | undefined> => {
    starts += 1
    let cut: NodeJS.Timeout | undefined
    let isCut = false
    const onSpawn = (pid: number): void => {
      if (killAfterMs === undefined) return
      cut = setTimeout(() => {
        isCut = true
        process.kill(pid, 'SIGKILL')
      }, killAfterMs)
    }
    // A file for each start: what waits for it to be ready reads the file from its beginning.
    const logFile = join(logDir, `${name}-${starts}.log`)
    const file = join(ROOT, 'gateway', 'main.ts')
    const env = { NODE_COMPILE_CACHE: cacheDir }
    const begun = performance.now()
    try {
      const child = await startProgram({ name, file, args: [configFile], logFile, env, onSpawn })
      if (!isCut) {
        startsMs.push(performance.now() - begun)
        return child
      }
      await child.ended
    } catch (error) {
      if (!isCut) throw error
    } finally {
      clearTimeout(cut)
    }
    return undefined
  }
  return {
    name,
    startsMs,
    kill: async (random) => {
      program.kill('SIGKILL')
      await program.ended
      let kills = 1
      for (;;) {
        const isToBeCut = random.below(CUT_STARTS) === 0
        const started = await start(isToBeCut ? random.below(START_MS) : undefined)
        if (started !== undefined) {
          program = started
          return kills
        }
        kills += 1
      }
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  }
}
