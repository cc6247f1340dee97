import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { profileOf, show } from '../context.ts'
import { printRecord, printTable } from '../output.ts'

interface Stamp extends Record<string, unknown> {
  first: number
  last: number
  genTime: string
  authority: string
}

/** `spean log stamps` and `spean log stamp`. */
export function addStampCommands(log: Command): void {
  log
    .command('stamps')
    .description('time-stamps of the exchange log, newest first')
    .option('-g, --gateway <name>', 'gateway of the profile; else SPEAN_GATEWAY')
    .option('--limit <n>', 'at most this many', '50')
    .option('--before <position>', 'those before the last line of the page before')
    .action(async (options: Record<string, string>, command: Command) => {
      const { gateway, ...page } = options
      const query = new URLSearchParams(page).toString()
      const ask = (api: ApiClient) =>
        api.call<{ stamps: Stamp[]; next?: number }>('GET', `/admin/time-stamps?${query}`)
      await show(command, profileOf(command).gateway(gateway), ask, ({ stamps, next }) => {
        printTable(
          ['FIRST', 'LAST', 'TIME', 'AUTHORITY', 'SERIAL'],
          stamps.map(({ first, last, genTime, authority, serial }) => [
            first,
            last,
            genTime,
            authority,
            serial,
          ]),
        )
        if (next !== undefined) console.log(`more: --before ${next}`)
      })
    })
  log
    .command('stamp <position>')
    .description('the time-stamp that covers a position of the log, or last: writes two files')
    .requiredOption('-o, --out <file>', 'the token; what it stamps goes into FILE.data')
    .option('-g, --gateway <name>', 'gateway of the profile; else SPEAN_GATEWAY')
    .action(async (position: string, options: Record<string, string>, command: Command) => {
      const { gateway, out = '' } = options
      const ask = async (api: ApiClient): Promise<Stamp> => {
        const path = apiPath('/admin/time-stamps', position)
        const answer = await api.call<Stamp & { token: string; stamped: string }>('GET', path)
        const { token, stamped, ...stamp } = answer
        write(out, token)
        write(`${out}.data`, stamped)
        return { ...stamp, token: out, stamped: `${out}.data` }
      }
      await show(command, profileOf(command).gateway(gateway), ask, printRecord)
    })
}

function write(file: string, base64: string): void {
  try {
    writeFileSync(file, Buffer.from(base64, 'base64'))
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new ConfigError(`${file}: cannot be written (${code})`, { cause })
  }
}
