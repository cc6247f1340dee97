import type { Command } from 'commander'
import type { ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { profileOf, show } from '../context.ts'
import { printRecord, printTable } from '../output.ts'

interface Described {
  readonly number: number
  readonly keys: readonly { kid: string; state: string; from: number; until?: number }[]
  readonly gateways: readonly {
    gateway: string
    anchor?: number
    snapshot?: number
    at?: string
  }[]
}

/** `spean catalogue anchor`: the keys that gateways believe, and how they change (docs/anchor.md). */
export function addAnchorCommands(catalogue: Command): void {
  const anchor = catalogue
    .command('anchor')
    .description('the keys that gateways believe: rotation without touching a gateway')
  anchor
    .command('show')
    .description('the keys, in which anchors they are, and which gateway has which anchor')
    .action((_options: object, own: Command) =>
      run(own, (api) => api.call<Described>('GET', '/admin/anchor')),
    )
  anchor
    .command('prepare')
    .description('makes the next key and announces it; the current one signs on')
    .action((_options: object, own: Command) => run(own, post('prepare', {})))
  addForced(anchor, 'switch', 'has the next key sign, once all gateways have its anchor')
  addForced(anchor, 'retire', 'takes the previous key out, once all gateways have the anchor')
  anchor
    .command('replace')
    .description('another key in the place of all others, at once: for a key that was stolen')
    .requiredOption('--yes', 'what the old keys signed is refused from then on')
    .option('--force', 'though a gateway has a later anchor, which the thief gave it')
    .action(({ force = false }: { force?: boolean }, own: Command) =>
      run(own, post('replace', { force })),
    )
  catalogue
    .command('resume')
    .description('after a restored backup: snapshots go on above a number that gateways had')
    .requiredOption('--from <number>', 'the highest that a gateway had: spean status tells it')
    .action(async ({ from }: { from: string }, own: Command) => {
      if (!/^\d{1,16}$/.test(from)) throw new ConfigError(`--from ${from}: write a whole number`)
      const body = { from: Number(from) }
      const ask = (api: ApiClient) =>
        api.call<Record<string, unknown>>('POST', '/admin/snapshot-number', body)
      await show(own, profileOf(own).catalogue(), ask, printRecord)
    })
}

function addForced(anchor: Command, verb: string, description: string): void {
  anchor
    .command(verb)
    .description(description)
    .option('--force', 'without waiting for gateways that are off: they take it when they come')
    .action(({ force = false }: { force?: boolean }, own: Command) =>
      run(own, post(verb, { force })),
    )
}

const post = (step: string, body: object) => (api: ApiClient) =>
  api.call<Described>('POST', `/admin/anchor/${step}`, body)

async function run(own: Command, ask: (api: ApiClient) => Promise<Described>): Promise<void> {
  await show(own, profileOf(own).catalogue(), ask, ({ number, keys, gateways }) => {
    printRecord({ anchor: number })
    printTable(
      ['KEY', 'STATE', 'FROM ANCHOR', 'TO ANCHOR'],
      keys.map(({ kid, state, from, until }) => [kid, state, from, until]),
    )
    printTable(
      ['GATEWAY', 'ANCHOR', 'SNAPSHOT', 'HEARD'],
      gateways.map(({ gateway, anchor, snapshot, at }) => [gateway, anchor, snapshot, at]),
    )
  })
}
