import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

export interface Outcome {
  readonly exitCode: number
  /** Standard output and error together. */
  readonly output: string
}

const run = promisify(execFile)

/**
 * Runs a program that judges our work from outside.
 *
 * @throws TypeError naming the command that installs it, when it is missing.
 */
export async function judge(program: string, ...args: (string | string[])[]): Promise<Outcome> {
  try {
    const { stdout, stderr } = await run(program, args.flat())
    return { exitCode: 0, output: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as Outcome & {
      code: number | string
      stdout: string
      stderr: string
    }
    if (code === 'ENOENT') throw new TypeError(`${program} is missing; run: sh bin/test-tools`)
    return { exitCode: Number(code), output: stdout + stderr }
  }
}
