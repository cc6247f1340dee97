import { createWriteStream, renameSync, rmSync } from 'node:fs'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Option, type Command } from 'commander'
import { EXPORT_FORMATS, type ExportFormat } from '../../exchange-log/exchange-table.ts'
import { ApiError } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { bytesText, countText } from '../../runtime/count-text.ts'
import { profileOf } from '../context.ts'
import { addFilters, GATEWAY_OPTION, queryOf } from './log-filters.ts'

interface ExportOptions {
  readonly gateway?: string
  readonly format: ExportFormat
  readonly out?: string
}

/** `spean log export`: all pages, in constant memory on both sides. */
export function addExportCommand(log: Command): void {
  const command = log
    .command('export')
    .description('all exchanges that match, newest first; recorded in the log')
  addFilters(command.option(...GATEWAY_OPTION))
    .addOption(
      new Option('--format <format>', 'ndjson is exact, csv for spreadsheets')
        .choices(Object.keys(EXPORT_FORMATS))
        .default('ndjson'),
    )
    .option('-o, --out <file>', 'where to; else standard output')
    .action(async ({ gateway, format, out }: ExportOptions, own: Command) => {
      await using api = profileOf(own).gateway(gateway)
      const body = await api.download(`/audit/export?${queryOf(own, { format }).toString()}`)
      using progress = startProgress()
      const count = countLines(progress)
      await (
        out === undefined
          ? pipeline(body, count, process.stdout, { end: false })
          : writeWhole(out, (file) => pipeline(body, count, file))
      ).catch((cause: unknown) => {
        if (!isOfBody(cause)) throw cause
        throw new ApiError('the export broke off before its end', { cause })
      })
    })
}

/** What the file system says has the call that failed; the connection's faults are undici's. */
const isOfBody = (error: unknown): boolean =>
  !(error instanceof ConfigError) && (error as NodeJS.ErrnoException).code !== 'EPIPE'

/** A file of that name is a whole export, or there is none. */
async function writeWhole(
  out: string,
  write: (file: NodeJS.WritableStream) => Promise<unknown>,
): Promise<void> {
  const temporary = `${out}.part`
  try {
    await write(createWriteStream(temporary, { mode: 0o600, flush: true }))
    renameSync(temporary, out)
  } catch (error) {
    rmSync(temporary, { force: true })
    const { syscall, code } = error as NodeJS.ErrnoException
    if (!['open', 'write', 'rename', 'fsync', 'close'].includes(syscall ?? '')) throw error
    throw new ConfigError(`${out}: cannot be written (${code})`, { cause: error })
  }
}

interface Progress extends Disposable {
  lines: number
  bytes: number
}

function countLines(progress: Progress): Transform {
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      progress.bytes += chunk.length
      for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) {
        progress.lines += 1
      }
      done(null, chunk)
    },
  })
}

/** On a terminal one line that is written over, in a pipe one now and then; the same words. */
function startProgress(): Progress {
  const { stderr } = process
  const progress = { lines: 0, bytes: 0 }
  const print = (end: string): void => {
    const text = `${countText(progress.lines, 'line')}, ${bytesText(progress.bytes)}`
    stderr.write(stderr.isTTY ? `\r\u001b[K${text}${end}` : `${text}\n`)
  }
  const timer = setInterval(() => print(''), stderr.isTTY ? 200 : 5000)
  return Object.assign(progress, {
    [Symbol.dispose]: () => {
      clearInterval(timer)
      print('\n')
    },
  })
}
