import type { Command } from 'commander'
import { postgresSetupScript, setUpPostgresLog } from '../../exchange-log/postgres-setup.ts'
import { readPostgresUrl } from '../../exchange-log/postgres-url.ts'
import { ConfigError } from '../../runtime/config.ts'
import { printJson, printRecord } from '../output.ts'

interface SetupOptions {
  readonly ownerUrlFile?: string
  readonly role: string
  readonly readOnly?: boolean
  readonly print?: boolean
}

/** `spean log setup-postgres`: works on the database alone, and asks no gateway. */
export function addSetupPostgresCommand(log: Command): void {
  log
    .command('setup-postgres')
    .description("makes a log's tables in PostgreSQL, for a role that can only append and read")
    .option('--owner-url-file <file>', 'URL of a role that may make them: postgres://…, mode 0600')
    .requiredOption('--role <name>', "the gateway's role, which is there already")
    .option('--read-only', 'the role may only read: to verify the log')
    .option('--print', 'print the SQL instead, for someone else to run it once')
    .action(async (options: SetupOptions, command: Command) => {
      const { ownerUrlFile, role, print, readOnly = false } = options
      if (print === true) {
        process.stdout.write(postgresSetupScript(role, { readOnly }))
        return
      }
      if (ownerUrlFile === undefined) {
        throw new ConfigError('name the database: --owner-url-file FILE, or add --print')
      }
      const { isNew } = await setUpPostgresLog(readPostgresUrl(ownerUrlFile), role, {
        readOnly,
      })
      const report = { role, tables: isNew ? 'made' : 'there already; rights renewed' }
      if (command.optsWithGlobals<{ json?: boolean }>().json) printJson(report)
      else printRecord(report)
    })
}
