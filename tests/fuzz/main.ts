/** `npm run fuzz -- --runs 200000 --seed 1 [--decoder csr]` */
import { parseArgs } from 'node:util'
import { DECODERS } from './decoders.ts'
import { fuzz, type Finding } from './run.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    decoder: { type: 'string' },
    limit: { type: 'string', default: '250' },
  },
})
const [runs, seed, limitMs] = [values.runs, values.seed, values.limit].map(Number) as [
  number,
  number,
  number,
]
const names = Object.keys(DECODERS)
const unknown = values.decoder !== undefined && !names.includes(values.decoder)
if (unknown || ![runs, seed, limitMs].every(Number.isSafeInteger)) {
  process.stderr.write(
    `fuzz --runs N --seed N [--limit MILLISECONDS] [--decoder ${names.join('|')}]\n`,
  )
  process.exitCode = 2
} else {
  for (const decoder of values.decoder === undefined ? names : [values.decoder]) {
    await report(decoder)
  }
}

async function report(decoder: string): Promise<void> {
  const onProgress = (done: number): void => {
    if (process.stderr.isTTY) process.stderr.write(`\r${decoder}: ${done} of ${runs}`)
  }
  const result = await fuzz({ decoder, runs, seed, limitMs, onProgress })
  const { index, milliseconds } = result.slowest
  const perSecond = Math.round(runs / result.seconds)
  const outcomes = Object.entries(result.outcomes).toSorted(([, a], [, b]) => b - a)
  const lines = [
    `${decoder}: ${runs} inputs of seed ${seed}, ${perSecond} a second`,
    `  slowest: input ${index}, ${milliseconds.toFixed(1)} ms`,
    `  ${outcomes.map(([outcome, count]) => `${outcome} ${count}`).join(', ')}`,
    ...result.findings.flatMap(describe),
  ]
  process.stdout.write(`${process.stderr.isTTY ? '\r' : ''}${lines.join('\n')}\n`)
  if (result.findings.length > 0) process.exitCode = 1
}

function describe({ kind, index, hex, text }: Finding): string[] {
  return [`  ${kind.toUpperCase()} at input ${index}: ${text}`, `  ${hex}`]
}
