import { setTimeout as pause } from 'node:timers/promises'
import type { Command } from 'commander'
import type { ApiClient } from '../../runtime/api-client.ts'
import { ApiError } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { profileOf, show } from '../context.ts'
import { printLine, printRecord, printTable } from '../output.ts'

interface Archive {
  readonly archive: string
  readonly first: number
  readonly last: number
  readonly sha256: string
  readonly place: string
}
interface State {
  readonly archives: Archive[]
  readonly first: number
  readonly last: number
  readonly place?: string
  readonly isRunning?: boolean
  readonly fault?: string
}

const PATH = '/admin/log-archives'
const POLL_MS = 500

/** `spean log archives` and `spean log archive`. */
export function addArchiveCommands(log: Command): void {
  log
    .command('archives')
    .description('what left the log, and where it is')
    .option('-g, --gateway <name>', 'gateway of the profile; else SPEAN_GATEWAY')
    .action(async ({ gateway }: { gateway?: string }, command: Command) => {
      const ask = (api: ApiClient) => api.call<State>('GET', PATH)
      await show(command, profileOf(command).gateway(gateway), ask, (state) => {
        printTable(
          ['FIRST', 'LAST', 'ARCHIVE', 'PLACE', 'SHA-256'],
          state.archives.map(({ first, last, archive, place, sha256 }) => [
            ...[first, last, archive, place, sha256],
          ]),
        )
        printLine(`in the log: ${state.first} to ${state.last}`)
        if (state.isRunning === true) printLine('archiving is under way')
        if (state.fault !== undefined) printLine(`archiving failed: ${state.fault}`)
      })
    })
  log
    .command('archive')
    .description('takes the oldest records out of the log, into an archive that is verified first')
    .requiredOption('--up-to <position>', 'the last record that leaves')
    .option('-g, --gateway <name>', 'gateway of the profile; else SPEAN_GATEWAY')
    .action(async (options: { upTo: string; gateway?: string }, command: Command) => {
      const upTo = Number(options.upTo)
      if (!Number.isSafeInteger(upTo) || upTo < 1) throw new ConfigError('--up-to is a position')
      const ask = async (api: ApiClient): Promise<Archive | object> => {
        const before = (await api.call<State>('GET', PATH)).archives.length
        await api.call('POST', PATH, { upTo })
        for (;;) {
          const state = await api.call<State>('GET', PATH)
          if (state.isRunning !== true) {
            if (state.fault !== undefined) throw new ApiError(`nothing was removed: ${state.fault}`)
            return state.archives.length > before ? state.archives.at(-1)! : {}
          }
          await pause(POLL_MS)
        }
      }
      await show(command, profileOf(command).gateway(options.gateway), ask, (archive) => {
        if ('archive' in archive) printRecord({ ...archive })
        else printLine('there was nothing to archive')
      })
    })
}
