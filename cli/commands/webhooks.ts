import type { Command } from 'commander'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { fullId, profileOf, show } from '../context.ts'
import { printRecord, printTable } from '../output.ts'

type Row = Record<string, unknown>
const PATH = '/admin/webhooks'

/** `spean webhook`: whom the catalogue tells of changes. */
export function addWebhookCommands(program: Command): void {
  const webhook = program
    .command('webhook')
    .description('receivers that hear of changes of services')
  webhook
    .command('add <url>')
    .description('sends what happens from now on to an https URL, signed by the catalogue')
    .option(
      '--service <id...>',
      'only of these services; else all, and for a member its own and those it has contracts for',
    )
    .action(async (url: string, { service }: { service?: string[] }, command: Command) => {
      const { instance } = profileOf(command)
      const services = service?.map((id) => fullId(id, instance))
      await change(command, (api) => api.call<Row>('POST', PATH, { url, services }))
    })
  webhook
    .command('list')
    .description('lists receivers, and what kept them from being told')
    .action(async (_options: object, command: Command) => {
      const ask = (api: ApiClient) => api.call<{ webhooks: Row[] }>('GET', PATH)
      await show(command, profileOf(command).catalogue(), ask, ({ webhooks }) =>
        printTable(
          ['ID', 'URL', 'OF', 'SERVICES', 'POSITION', 'ATTEMPTS', 'STATE'],
          webhooks.map((w) => [w.id, w.url, ...whose(w), w.position, w.attempts, stateOf(w)]),
        ),
      )
    })
  webhook
    .command('resume <id>')
    .description('tries one again at once that failed for long')
    .action((id: string, _options: object, command: Command) =>
      change(command, (api) => api.call<Row>('POST', `${apiPath(PATH, id)}/resume`, {})),
    )
  webhook
    .command('remove <id>')
    .description('tells one nothing any more')
    .action(async (id: string, _options: object, command: Command) => {
      const remove = (api: ApiClient) => api.call('DELETE', apiPath(PATH, id))
      await show(command, profileOf(command).catalogue(), remove, () =>
        console.log(`removed ${id}`),
      )
    })
}

const whose = ({ scope, services }: Row): string[] => [
  (scope as string[] | undefined)?.join(' ') ?? 'the operator',
  (services as string[] | undefined)?.join(' ') ?? (scope ? 'own and by contract' : 'all'),
]
const stateOf = ({ suspended, lastError }: Row): unknown =>
  suspended === true ? `suspended: ${String(lastError)}` : (lastError ?? 'well')

async function change(command: Command, ask: (api: ApiClient) => Promise<Row>): Promise<void> {
  await show(command, profileOf(command).catalogue(), ask, (answer) => printRecord(answer))
}
