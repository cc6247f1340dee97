import { Option, type Command } from 'commander'
import { CSV_HEAD, csvLine, type ExchangeLine } from '../../exchange-log/exchange-table.ts'
import type { ApiClient } from '../../runtime/api-client.ts'
import { isJson, profileOf, show } from '../context.ts'
import { printJson, printTable } from '../output.ts'
import { ARCHIVE_OPTION, listArchived } from './log-archive-files.ts'
import { addFilters, GATEWAY_OPTION, queryOf } from './log-filters.ts'

interface Page {
  readonly exchanges: readonly ExchangeLine[]
  readonly next?: number
}
interface ListOptions {
  readonly gateway?: string
  readonly limit: string
  readonly before?: string
  readonly output: 'table' | 'json' | 'csv'
  readonly archive?: readonly string[]
}

/** `spean log list`: by `/admin/log`, or as an auditor by what is recorded. */
export function addListCommand(log: Command): void {
  const list = log.command('list').description('exchanges, newest first')
  addFilters(list.option(...GATEWAY_OPTION))
    .option('--limit <n>', 'at most this many', '50')
    .option('--before <position>', 'those before the last line of the page before')
    .option(...ARCHIVE_OPTION)
    .addOption(
      new Option('--output <form>', 'how to print it')
        .choices(['table', 'json', 'csv'])
        .default('table'),
    )
    .action(async (options: ListOptions, command: Command) => {
      const { gateway, output, limit, before, archive } = options
      if (archive !== undefined) {
        const page = await listArchived(archive, queryOf(command, { limit, before }))
        return PRINT[isJson(command) ? 'json' : output](page)
      }
      const profile = profileOf(command)
      const path = profile.isAuditor(gateway) ? '/audit/exchanges' : '/admin/log'
      const query = queryOf(command, { limit, before }).toString()
      const ask = (api: ApiClient) => api.call<Page>('GET', `${path}?${query}`)
      await show(command, profile.gateway(gateway), ask, (page) => PRINT[output](page))
    })
}

const PRINT: Record<ListOptions['output'], (page: Page) => void> = {
  json: printJson,
  csv: ({ exchanges }) => process.stdout.write(CSV_HEAD + exchanges.map(csvLine).join('')),
  table: ({ exchanges, next }) => {
    printExchanges(exchanges)
    if (next !== undefined) console.log(`more: --before ${next}`)
  },
}

/** @param first columns before the usual ones. */
export function printExchanges<T extends ExchangeLine>(
  exchanges: readonly T[],
  first: Readonly<Record<string, (exchange: T) => unknown>> = {},
): void {
  printTable(
    [
      ...Object.keys(first),
      ...['TIME', 'SIDE', 'OUTCOME', 'STATUS', 'CLIENT', 'METHOD', 'SERVICE', 'EXCHANGE'],
    ],
    exchanges.map((e) => [
      ...Object.values(first).map((cell) => cell(e)),
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
}
