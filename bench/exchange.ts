/**
 * What an exchange through two gateways costs, beside the same call without them, in one run:
 * npm run bench [-- --quick --rounds 5 --seconds 10 --bytes 1024,10240 --connections 1,16,64 --json FILE]
 *
 * Client, gateways, proxies and service are processes of their own on this machine; rounds of all paths are
 * interleaved, so that a slow minute meets all alike. Figures are medians over the rounds.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { measure, type Load, type Measured } from './exchange/measure.ts'
import { openPaths } from './exchange/paths.ts'
import { summarise, tableOf, type Row } from './exchange/report.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    bytes: { type: 'string' },
    connections: { type: 'string' },
    json: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
})
const { quick } = values
const rounds = count('rounds', values.rounds ?? (quick ? '1' : '5'))
const seconds = count('seconds', values.seconds ?? (quick ? '3' : '10'))
const sizes = (values.bytes ?? (quick ? '1024' : '1024,10240')).split(',')
const connections = (values.connections ?? (quick ? '1,64' : '1,16,64,300')).split(',')
const loads: Load[] = sizes.flatMap((size) =>
  connections.map((some) => ({
    bytes: count('bytes', size),
    connections: count('connections', some),
  })),
)
const say = (text: string): void => void process.stderr.write(`${text}\n`)

const dir = mkdtempSync(join(tmpdir(), 'spean-bench-'))
try {
  await using opened = await openPaths(dir, say)
  const { paths } = opened
  const taken = new Map<string, Measured[]>()
  const keyOf = (path: string, { bytes, connections: some }: Load): string =>
    `${path} ${bytes} ${some}`
  const all = rounds * loads.length * paths.length
  let done = 0
  for (let round = 1; round <= rounds; round += 1) {
    for (const load of loads) {
      for (const path of paths) {
        done += 1
        say(`${done}/${all} ${path.name}: ${load.bytes} bytes, ${load.connections} connections`)
        const key = keyOf(path.name, load)
        taken.set(key, [...(taken.get(key) ?? []), await measure(path, load, seconds)])
      }
    }
  }
  const rows = loads.flatMap((load) =>
    paths.map(({ name }): Row => ({
      path: name,
      ...load,
      ...summarise(taken.get(keyOf(name, load)) ?? []),
    })),
  )
  process.stdout.write(`${tableOf(rows)}\n`)
  if (values.json !== undefined) {
    const run = { at: new Date().toISOString(), machine: machine(), rounds, seconds, rows }
    writeFileSync(values.json, `${JSON.stringify(run, undefined, 2)}\n`)
  }
  // A benchmark of refusals would be a fast one
  if (rows.some(({ failed }) => Object.keys(failed).length > 0)) process.exitCode = 1
} finally {
  if (values.keep) say(`kept: ${dir}`)
  else rmSync(dir, { recursive: true, force: true })
}

function count(name: string, text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new TypeError(`--${name} is a number from 1 on, not ${text}`)
}

function machine(): object {
  const [cpu] = cpus()
  return {
    node: process.version,
    system: `Linux ${release()}`,
    cores: `${cpus().length} × ${cpu?.model.trim()}`,
    memoryGigabytes: Math.round(totalmem() / 2 ** 30),
    commit: execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim(),
  }
}
