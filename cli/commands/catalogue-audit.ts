import type { Command } from 'commander'
import type { ApiClient } from '../../runtime/api-client.ts'
import {
  EMPTY_HEAD,
  followChain,
  type AuditHead,
  type AuditRow,
} from '../../runtime/audit-chain.ts'
import { ConfigError } from '../../runtime/config.ts'
import { profileOf, show } from '../context.ts'
import { printRecord, printTable } from '../output.ts'

interface Page {
  readonly rows: AuditRow[]
  readonly next: number
  readonly head: AuditHead
}

/** `spean catalogue audit`: who did what, and whether the trail is whole. */
export function addAuditCommands(catalogue: Command): void {
  const audit = catalogue
    .command('audit')
    .description('lists what was done and what was refused, and by whom')
    .option('--after <position>', 'where the page before ended: its next', '0')
    .action(async ({ after }: { after: string }, own: Command) => {
      const ask = (api: ApiClient) => readPage(api, after)
      await show(own, profileOf(own).catalogue(), ask, ({ rows }) => {
        printTable(
          ['POSITION', 'AT', 'WHO', 'CREDENTIAL', 'FROM', 'ACT', 'RESULT'],
          rows.map(({ entry }) => [
            ...[entry.position, entry.at, entry.who ?? '(nobody)', entry.credential, entry.from],
            ...[`${entry.method} ${entry.path}`, entry.result],
          ]),
        )
      })
    })
  audit
    .command('verify')
    .description(
      'recomputes the chain of the trail; exit code 1 when an entry was altered or removed',
    )
    .option('--since <position:hash>', 'where an earlier verification ended')
    .action(async ({ since }: { since?: string }, own: Command) => {
      const ask = (api: ApiClient) =>
        verify(api, since === undefined ? EMPTY_HEAD : readHead(since))
      await show(own, profileOf(own).catalogue(), ask, (found) => {
        printRecord({ ...found })
        if (found.fault === undefined) {
          console.log(`whole; next time: --since ${found.position}:${found.hash}`)
        }
      })
    })
}

const readPage = (api: ApiClient, after: number | string): Promise<Page> =>
  api.call<Page>('GET', `/admin/audit?after=${encodeURIComponent(after)}`)

interface Verified extends AuditHead {
  readonly fault?: string
}

async function verify(api: ApiClient, since: AuditHead): Promise<Verified> {
  let last = since
  for (;;) {
    const { rows, head } = await readPage(api, last.position)
    const found = followChain(last, rows)
    if (typeof found === 'string') return failed(last, found)
    last = found
    if (rows.length > 0) continue
    if (head.position === last.position && head.hash === last.hash) return last
    return failed(last, `the trail ends at entry ${last.position}, and should at ${head.position}`)
  }
}

function failed(last: AuditHead, fault: string): Verified {
  process.exitCode = 1
  return { ...last, fault }
}

function readHead(text: string): AuditHead {
  const [, position, hash] = /^(\d{1,15}):([\w-]{43})$/.exec(text) ?? []
  if (hash !== undefined) return { position: Number(position), hash }
  throw new ConfigError(`${text}: write --since POSITION:HASH, as the verification before said`)
}
