import { InvalidArgumentError, type Command } from 'commander'
import { startCsvAdapter } from '../../adapters/csv/server.ts'
import { stopSignal } from '../../runtime/lifecycle.ts'
import { createLogger } from '../../runtime/logger.ts'

interface CsvOptions {
  readonly file: string
  readonly key?: string
  readonly service: string
  readonly port: number
  readonly host: string
  readonly examples?: boolean
}

/** `spean adapter csv`: runs until it is stopped. */
export function addAdapterCommands(program: Command): void {
  program
    .command('adapter')
    .description('programs that make an HTTP service of what is there')
    .command('csv')
    .description('serves a CSV file: GET /CODE/{key}, GET /CODE?column=value, GET /openapi.json')
    .requiredOption('--file <file>', 'CSV file in UTF-8 with a header line')
    .option('--key <column>', 'column that identifies a row; else `code`, else the first')
    .requiredOption('--service <code>', 'service code: the first part of the path')
    .requiredOption('--port <port>', 'port to listen on; 0 for any', parsePort)
    .option('--examples', 'put values of the rows into the description, which everybody may read')
    .option('--host <host>', 'address to listen on', '127.0.0.1')
    .action(async (options: CsvOptions) => {
      const logger = createLogger(`adapter csv ${options.service}`)
      await using adapter = await startCsvAdapter({ ...options, logger })
      logger.info({ url: adapter.url, description: adapter.descriptionUrl }, 'adapter ready')
      logger.info({ signal: await stopSignal() }, 'adapter stopping')
    })
}

function parsePort(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new InvalidArgumentError('a port is a number from 0 to 65535')
}
