import type { Command } from 'commander'
import type { ExchangeLine } from '../../exchange-log/exchange-table.ts'
import { ticketOf } from '../../exchange-log/sample.ts'
import { ApiError, type ApiClient } from '../../runtime/api-client.ts'
import { profileOf, show } from '../context.ts'
import { printRecord } from '../output.ts'
import { printExchanges } from './log-list.ts'
import { addFilters, GATEWAY_OPTION, queryOf } from './log-filters.ts'

type Line = ExchangeLine & { readonly ticket: string; readonly position: number }
interface Sample {
  readonly seed: string
  readonly tree: { readonly origin: string; readonly size: number; readonly rootHash: string }
  readonly eligible: number
  readonly exchanges: readonly Line[]
}
interface SampleOptions {
  readonly gateway?: string
  readonly size: string
  readonly seed: string
  readonly treeSize?: string
}

/** Every exchange that matches is looked at; a server gives up after 90 seconds without a byte. */
const ANSWER_MS = 85_000

/** `spean log sample` */
export function addSampleCommand(log: Command): void {
  const command = log
    .command('sample')
    .description('exchanges drawn by a seed: who has the seed draws the same again')
    .requiredOption('--size <n>', 'how many')
    .requiredOption('--seed <text>', 'what chance is made of; publish it first')
    .option('--tree-size <n>', 'of the first n records, as an earlier sample')
  addFilters(command.option(...GATEWAY_OPTION)).action(
    async ({ gateway, size, seed, treeSize }: SampleOptions, own: Command) => {
      const query = queryOf(own, { size, seed, treeSize }).toString()
      const ask = async (api: ApiClient): Promise<Sample> => {
        const sample = await api.call<Sample>('GET', `/audit/sample?${query}`)
        verifyDraw(sample, seed)
        return sample
      }
      const api = profileOf(own).gateway(gateway, { answerMs: ANSWER_MS })
      await show(own, api, ask, ({ tree, eligible, exchanges }) => {
        const { origin, size: leaves, rootHash } = tree
        printRecord({ log: origin, 'tree size': leaves, 'root hash': rootHash, eligible, seed })
        printExchanges(exchanges, {
          TICKET: (e) => e.ticket.slice(0, 12),
          POSITION: (e) => e.position,
        })
      })
    },
  )
}

/** What can be checked of a draw without the rest of the log. @throws ApiError */
function verifyDraw({ tree, exchanges }: Sample, seed: string): void {
  exchanges.forEach(({ ticket, position }, i) => {
    const isInOrder = i === 0 || exchanges[i - 1]!.ticket < ticket
    if (ticket === ticketOf(seed, position) && isInOrder && position <= tree.size) return
    throw new ApiError(`position ${position} was not drawn by this seed: the gateway's fault`)
  })
}
