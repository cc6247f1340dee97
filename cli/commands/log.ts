import type { Command } from 'commander'
import type { ApiClient } from '../../runtime/api-client.ts'
import { fullId, profileOf, show } from '../context.ts'
import { ConfigError } from '../../runtime/config.ts'
import { printRecord, printTable } from '../output.ts'
import { addSetupPostgresCommand } from './log-postgres.ts'
import { addArchiveCommands } from './log-archive.ts'
import { addBackupCommand } from './log-backup.ts'
import { addStampCommands } from './log-stamps.ts'
import { addVerifyCommand } from './log-verify.ts'
import { addLogKeyCommands } from './witnesses.ts'

interface Summary {
  exchangeId: string
  side: string
  at: string
  endedAt?: string
  client?: string
  service?: string
  method?: string
  target?: string
  outcome: string
  status?: number
  code?: string
}
interface ShowOptions {
  readonly gateway?: string
  readonly manifest?: string
}
interface Entry extends Record<string, unknown> {
  kind: string
  manifest?: string
}

/** `spean log list`, `spean log show`, and those of its time-stamps. */
export function addLogCommands(program: Command): void {
  const log = program.command('log').description("a gateway's exchange log")
  log
    .command('list')
    .description('exchanges, newest first')
    .option('-g, --gateway <name>', 'gateway of the profile; else SPEAN_GATEWAY')
    .option('--from <time>', 'begun at or after this time (2026-01-31T08:00:00Z)')
    .option('--to <time>', 'begun before this time')
    .option('--client <id>', 'INSTANCE/CLASS/MEMBER/SUBSYSTEM; a * at the end for a prefix')
    .option(
      '--service <id>',
      'INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE; a * at the end for a prefix',
    )
    .option('--outcome <outcome>', 'ok, error, refused or unanswered')
    .option('--code <code>', 'error code of a refusal, as access.denied')
    .option('--id <id>', "exchange id, or the client's own message id")
    .option('--limit <n>', 'at most this many', '50')
    .option('--before <position>', 'those before the last line of the page before')
    .action(async (options: Record<string, string>, command: Command) => {
      const { gateway, ...filters } = options
      for (const name of ['client', 'service']) {
        const id = filters[name]
        if (id !== undefined) filters[name] = fullId(id, profileOf(command).instance)
      }
      const query = new URLSearchParams(filters).toString()
      const ask = (api: ApiClient) =>
        api.call<{ exchanges: Summary[]; next?: number }>('GET', `/admin/log?${query}`)
      await show(command, profileOf(command).gateway(gateway), ask, ({ exchanges, next }) => {
        printTable(
          ['TIME', 'SIDE', 'OUTCOME', 'STATUS', 'CLIENT', 'METHOD', 'SERVICE', 'EXCHANGE'],
          exchanges.map((e) => [
            e.at,
            e.side,
            e.code ?? e.outcome,
            e.status,
            e.client,
            e.method,
            e.service,
            e.exchangeId,
          ]),
        )
        if (next !== undefined) console.log(`more: --before ${next}`)
      })
    })
  log
    .command('show <exchange-id>')
    .description('everything recorded of one exchange, its manifests decoded')
    .option('-g, --gateway <name>', 'gateway of the profile; else SPEAN_GATEWAY')
    .option('--manifest <kind>', 'print the signed manifest alone: request or response')
    .action(async (id: string, options: ShowOptions, command: Command) => {
      const { gateway, manifest: kindWanted } = options
      const ask = (api: ApiClient) =>
        api.call<{ entries: Entry[] }>('GET', `/admin/log/${encodeURIComponent(id)}`)
      await show(command, profileOf(command).gateway(gateway), ask, ({ entries }) => {
        if (kindWanted !== undefined) {
          const jws = entries.find(
            ({ kind, manifest }) => kind === kindWanted && manifest,
          )?.manifest
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
      })
    })
  addStampCommands(log)
  addArchiveCommands(log)
  addBackupCommand(log)
  addVerifyCommand(log)
  addSetupPostgresCommand(log)
  addLogKeyCommands(log)
}

function decodePart(part: string): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Record<string, unknown>
  } catch {
    return {} // the signature
  }
}
