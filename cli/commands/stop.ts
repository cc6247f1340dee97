import type { Command } from 'commander'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { fullId, profileOf, show } from '../context.ts'
import { printRecord, printTable } from '../output.ts'

interface Stop extends Record<string, unknown> {
  readonly subject: string
  readonly since: string
  readonly reason: string
}

const ID = 'CLASS/MEMBER, CLASS/MEMBER/SUBSYSTEM or CLASS/MEMBER/SUBSYSTEM/SERVICE'

/** `spean stop`: emergency stops, which every gateway of the instance follows (protocol/README.md §13.6). */
export function addStopCommands(program: Command): void {
  const stop = program
    .command('stop')
    .description('emergency stops of members, subsystems and services, in the whole instance')
  stop
    .command('list')
    .description('what is stopped, since when, and why')
    .action(async (_options: object, own: Command) => {
      const ask = (api: ApiClient) => api.call<{ stops: Stop[] }>('GET', '/admin/stops')
      await show(own, profileOf(own).catalogue(), ask, ({ stops }) =>
        printTable(
          ['SUBJECT', 'SINCE', 'REASON'],
          stops.map(({ subject, since, reason }) => [subject, since, reason]),
        ),
      )
    })
  stop
    .command('set <id>')
    .description(`stops every call of it and to it: ${ID}`)
    .requiredOption('--reason <text>', 'told with each refusal')
    .action(async (id: string, { reason }: { reason: string }, own: Command) => {
      const ask = (api: ApiClient) => api.call<Stop>('PUT', pathOf(own, id), { reason })
      await show(own, profileOf(own).catalogue(), ask, printRecord)
    })
  stop
    .command('lift <id>')
    .description('ends a stop; grants and contracts hold as before')
    .action(async (id: string, _options: object, own: Command) => {
      const ask = (api: ApiClient) => api.call('DELETE', pathOf(own, id))
      await show(own, profileOf(own).catalogue(), ask, () => console.log(`lifted ${id}`))
    })
}

function pathOf(own: Command, id: string): string {
  const parts = fullId(id, profileOf(own).instance).split('/').slice(1)
  if (parts.length < 2 || parts.length > 4) throw new ConfigError(`${id}: write ${ID}`)
  return apiPath('/admin/stops', ...parts)
}
