import type { Command } from 'commander'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { profileOf, show } from '../context.ts'
import { printRecord, printTable } from '../output.ts'

type Row = Record<string, unknown>

/** `spean ca request`: the operator's word about who came with a code, where `approval` is configured. */
export function addCaRequestCommands(ca: Command): void {
  const request = ca.command('request').description('enrolments that wait for your word')
  request
    .command('list')
    .description(
      'requests, and what was said of them; compare the key with what the asker reads out',
    )
    .action(async (_options: object, own: Command) => {
      const ask = (api: ApiClient) => api.call<{ requests: Row[] }>('GET', '/admin/requests')
      await show(own, profileOf(own).authority(), ask, ({ requests }) => {
        printTable(
          ['ID', 'STATE', 'SINCE', 'KIND', 'FOR', 'FROM', 'KEY', 'REASON'],
          requests.map((r) => [
            ...[r.id, r.state, r.askedAt, r.kind, r.identity],
            ...[r.remoteAddress, r.keyThumbprint, r.reason],
          ]),
        )
      })
    })
  request
    .command('approve <id>')
    .description('lets it be issued: whoever asks again collects the certificate')
    .action(async (id: string, _options: object, own: Command) => {
      await decide(own, id, 'approve')
    })
  request
    .command('reject <id>')
    .description('refuses it; the code may be used again')
    .requiredOption('--reason <text>', 'a sentence that the asker reads')
    .action(async (id: string, { reason }: { reason: string }, own: Command) => {
      await decide(own, id, 'reject', { reason })
    })
}

async function decide(own: Command, id: string, what: string, body?: object): Promise<void> {
  const path = `${apiPath('/admin/requests', id)}/${what}`
  const ask = (api: ApiClient) => api.call<Row>('POST', path, body)
  await show(own, profileOf(own).authority(), ask, printRecord)
}
