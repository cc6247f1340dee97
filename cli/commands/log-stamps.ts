import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { profileOf, show } from '../context.ts'
import { printRecord, printTable } from '../output.ts'

interface Stamp extends Record<string, unknown> {
  size: number
  genTime: string
  authority: string
}

interface StampFiles extends Stamp {
  /** Base64 of DER. */
  token: string
  stamped: string
  checkpoint: string
}

/** `spean log stamps` and `spean log stamp`. */
export function addStampCommands(log: Command): void {
  log
    .command('stamps')
    .description('time-stamps of the exchange log, newest first')
    .option('-g, --gateway <name>', 'gateway of the profile; else SPEAN_GATEWAY')
    .option('--limit <n>', 'at most this many', '50')
    .option('--before <size>', 'those before the last line of the page before')
    .action(async (options: Record<string, string>, command: Command) => {
      const { gateway, ...page } = options
      const query = new URLSearchParams(page).toString()
      const ask = (api: ApiClient) =>
        api.call<{ stamps: Stamp[]; next?: number }>('GET', `/admin/time-stamps?${query}`)
      await show(command, profileOf(command).gateway(gateway), ask, ({ stamps, next }) => {
        printTable(
          ['UP TO', 'TIME', 'AUTHORITY', 'SERIAL'],
          stamps.map(({ size, genTime, authority, serial }) => [size, genTime, authority, serial]),
        )
        if (next !== undefined) console.log(`more: --before ${next}`)
      })
    })
  log
    .command('stamp <position>')
    .description('the time-stamp that covers a position of the log, or last: writes three files')
    .requiredOption(
      '-o, --out <file>',
      'the token; what it is about goes into FILE.data, the checkpoint with all signatures into FILE.checkpoint',
    )
    .option('-g, --gateway <name>', 'gateway of the profile; else SPEAN_GATEWAY')
    .action(async (position: string, options: Record<string, string>, command: Command) => {
      const { gateway, out = '' } = options
      const ask = async (api: ApiClient): Promise<Stamp> => {
        const path = apiPath('/admin/time-stamps', position)
        const answer = await api.call<StampFiles>('GET', path)
        const { token, stamped, checkpoint, ...stamp } = answer
        write(out, Buffer.from(token, 'base64'))
        write(`${out}.data`, stamped)
        write(`${out}.checkpoint`, checkpoint)
        return { ...stamp, token: out, stamped: `${out}.data`, checkpoint: `${out}.checkpoint` }
      }
      await show(command, profileOf(command).gateway(gateway), ask, printRecord)
    })
}

function write(file: string, content: string | Buffer): void {
  try {
    writeFileSync(file, content)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new ConfigError(`${file}: cannot be written (${code})`, { cause })
  }
}
