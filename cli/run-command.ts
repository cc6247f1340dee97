import { CommanderError } from 'commander'
import { errorEntry, ExchangeError } from '../protocol/errors.ts'
import { moveOf } from '../protocol/problem.ts'
import { MOVE_WORDS } from '../protocol/refusal.ts'
import { ApiError } from '../runtime/api-client.ts'
import { ConfigError } from '../runtime/config.ts'
import { ApplyError, DocumentError } from './apply/faults.ts'
import { createProgram } from './program.ts'

/**
 * Runs the spean command and says on standard error what went wrong. Exit codes: 0 done, 1 refused or failed,
 * 2 used wrongly, or what the command set itself.
 *
 * @param argv without the names of the runtime and of the command.
 */
export async function runCommand(argv: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync(argv, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2
    } else if (error instanceof ExchangeError) {
      console.error(refusalText(error))
      process.exitCode = 1
    } else if (error instanceof DocumentError || error instanceof ApplyError) {
      console.error(error.message)
      process.exitCode = 1
    } else if (error instanceof ConfigError || error instanceof ApiError) {
      console.error(error.message)
      process.exitCode = error instanceof ConfigError ? 2 : 1
    } else {
      console.error(error)
      process.exitCode = 1
    }
  }
}

/** Who can act is told unless it is whoever gave the command. */
function refusalText({ code, message, origin, step }: ExchangeError): string {
  const move = origin === undefined ? 'client' : moveOf(code, origin, step)
  const act = move === 'client' ? '' : ` To act: ${MOVE_WORDS[move]}.`
  return `refused (${code}): ${message}\n${errorEntry(code).remedy}${act}`
}
