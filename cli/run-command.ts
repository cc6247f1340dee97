import { CommanderError } from 'commander'
import { errorEntry, ExchangeError } from '../protocol/errors.ts'
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
      console.error(`refused (${error.code}): ${error.message}\n${errorEntry(error.code).remedy}`)
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
