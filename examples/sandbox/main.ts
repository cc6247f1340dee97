/** A whole instance on one machine: npm start -- [--data FILE] [--key COLUMN] [--fresh] [--port-offset N] */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { ConfigError } from '../../runtime/config.ts'
import { runMain, stopSignal } from '../../runtime/lifecycle.ts'
import { sandboxPlan } from './plan.ts'
import { startSandbox } from './sandbox.ts'

const HERE = import.meta.dirname
const ROOT = join(HERE, '..', '..')

interface Options {
  readonly data?: string
  readonly key?: string
  readonly fresh?: boolean
  readonly portOffset: number
  readonly dir?: string
}

const options = new Command('npm start --')
  .description(
    'Makes and starts a whole Spean instance on 127.0.0.1: authority, catalogue, three members.',
  )
  .option('--data <file>', 'CSV to serve as GAZETTEER/places, instead of the 25 provinces')
  .option('--key <column>', 'its key column; else `code`, else the first')
  .option('--fresh', 'start over with new keys and empty logs')
  .option('--port-offset <n>', 'add this to every port', parseOffset, 0)
  .option('--dir <folder>', 'where everything is kept, instead of .spean')
  .parse()
  .opts<Options>()

function parseOffset(text: string): number {
  const offset = Number(text)
  if (/^\d+$/.test(text) && offset <= 50_000) return offset
  throw new InvalidArgumentError('an offset is a number from 0 to 50000')
}

/** npm runs us in the project's folder; the person was elsewhere perhaps. */
const fromCaller = (path: string): string => resolve(process.env.INIT_CWD ?? process.cwd(), path)

await runMain(async () => {
  const dir = options.dir === undefined ? join(ROOT, '.spean') : fromCaller(options.dir)
  const data =
    options.data === undefined ? join(HERE, 'data', 'provinces.csv') : fromCaller(options.data)
  if (!existsSync(data)) throw new ConfigError(`${data}: there is no such file`)
  const { key, portOffset: offset } = options
  const plan = sandboxPlan({ dir, offset, data, ...(key === undefined ? {} : { key }) })
  const abort = new AbortController()
  const stopped = stopSignal().then((signal) => {
    console.log(`stopping (${signal})`)
    abort.abort(new ConfigError('stopped before it was ready'))
  })
  await using sandbox = await startSandbox(plan, {
    fresh: options.fresh ?? false,
    progress: (text) => console.log(text),
    signal: abort.signal,
  })
  console.log(sandbox.welcome)
  await stopped
})
