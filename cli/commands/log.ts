import type { Command } from 'commander'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { isJson, profileOf, show } from '../context.ts'
import { ConfigError } from '../../runtime/config.ts'
import { printJson, printRecord } from '../output.ts'
import { addErasureCommands } from './log-erasure.ts'
import { addExportCommand } from './log-export.ts'
import { GATEWAY_OPTION } from './log-filters.ts'
import { addListCommand } from './log-list.ts'
import { addSampleCommand } from './log-sample.ts'
import { addSetupPostgresCommand } from './log-database.ts'
import { ARCHIVE_OPTION, showArchived } from './log-archive-files.ts'
import { addArchiveCommands } from './log-archive.ts'
import { addBackupCommand } from './log-backup.ts'
import { addStampCommands } from './log-stamps.ts'
import { addVerifyCommand } from './log-verify.ts'
import { addLogKeyCommands } from './witnesses.ts'

interface ShowOptions {
  readonly gateway?: string
  readonly manifest?: string
  readonly archive?: readonly string[]
}
interface Entry extends Record<string, unknown> {
  kind: string
  manifest?: string
}

/** `spean log`: searching, one exchange, export, sample, and the log's time-stamps. */
export function addLogCommands(program: Command): void {
  const log = program.command('log').description("a gateway's exchange log")
  addListCommand(log)
  addExportCommand(log)
  addSampleCommand(log)
  log
    .command('show <exchange-id>')
    .description('everything recorded of one exchange, its manifests decoded')
    .option(...GATEWAY_OPTION)
    .option(...ARCHIVE_OPTION)
    .option('--manifest <kind>', 'print the signed manifest alone: request or response')
    .action(async (id: string, options: ShowOptions, command: Command) => {
      const { gateway, manifest, archive } = options
      if (archive !== undefined) {
        const found = await showArchived(archive, id)
        return isJson(command) ? printJson(found) : printEntries(found.entries, manifest)
      }
      const profile = profileOf(command)
      const base = profile.isAuditor(gateway) ? '/audit/exchanges' : '/admin/log'
      const ask = (api: ApiClient) => api.call<{ entries: Entry[] }>('GET', apiPath(base, id))
      await show(command, profile.gateway(gateway), ask, ({ entries }) =>
        printEntries(entries, manifest),
      )
    })
  addErasureCommands(log)
  addStampCommands(log)
  addArchiveCommands(log)
  addBackupCommand(log)
  addVerifyCommand(log)
  addSetupPostgresCommand(log)
  addLogKeyCommands(log)
}

/** @param kindWanted of the manifest that is to be printed alone. @throws ConfigError when there is none. */
function printEntries(entries: readonly Entry[], kindWanted: string | undefined): void {
  if (kindWanted !== undefined) {
    const jws = entries.find(({ kind, manifest }) => kind === kindWanted && manifest)?.manifest
    if (jws === undefined) throw new ConfigError(`the exchange has no ${kindWanted} manifest`)
    process.stdout.write(jws) // without a line end, which is no part of it
    return
  }
  for (const { kind, manifest, ...rest } of entries) {
    console.log(`── ${kind}`)
    printRecord(rest)
    if (manifest === undefined) continue
    console.log('manifest (signed, JWS):')
    console.log(manifest)
    const [header, payload] = manifest.split('.').map(decodePart)
    printRecord({ ...header, ...payload })
  }
}

function decodePart(part: string): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Record<string, unknown>
  } catch {
    return {} // the signature
  }
}
