import type { Command } from 'commander'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { writePrivateFile } from '../../runtime/private-file.ts'
import { fullId, profileOf, show } from '../context.ts'
import { printRecord, printTable } from '../output.ts'
import { GATEWAY_OPTION } from './log-filters.ts'

interface Auditor extends Record<string, unknown> {
  readonly name: string
  readonly scope?: readonly string[]
  readonly state: string
}
interface AddOptions {
  readonly gateway?: string
  readonly within?: string[]
  readonly all?: true
  readonly expires?: string
  readonly out?: string
}

/** `spean auditor`: who may read a gateway's exchange log besides its administrator. */
export function addAuditorCommands(program: Command): void {
  const auditor = program
    .command('auditor')
    .description("who may read a gateway's exchange log besides its administrator")
  addList(auditor)
  addAdd(auditor)
  addRemove(auditor)
  addQueries(auditor)
}

function addList(auditor: Command): void {
  auditor
    .command('list')
    .description('auditors, those of the past included')
    .option(...GATEWAY_OPTION)
    .action(async ({ gateway }: { gateway?: string }, own: Command) => {
      const ask = (api: ApiClient) => api.call<{ auditors: Auditor[] }>('GET', '/admin/auditors')
      await show(own, profileOf(own).gateway(gateway), ask, ({ auditors }) => {
        printTable(
          ['NAME', 'STATE', 'SINCE', 'EXPIRES', 'REVOKED', 'SEES'],
          auditors.map((a) => [
            a.name,
            a.state,
            a.createdAt,
            a.expiresAt,
            a.revokedAt,
            a.scope ?? 'everything',
          ]),
        )
      })
    })
}

function addAdd(auditor: Command): void {
  auditor
    .command('add <name>')
    .description('makes a token, which is shown this once')
    .option('--within <id...>', 'members, subsystems or services that the auditor is limited to')
    .option('--all', 'no limit')
    .option('--expires <time>', 'when the token ends (2027-01-31T00:00:00Z)')
    .option('-o, --out <file>', 'writes the token there instead of showing it')
    .option(...GATEWAY_OPTION)
    .action(async (name: string, options: AddOptions, own: Command) => {
      const { gateway, within, all, expires, out } = options
      if ((all ?? false) === (within !== undefined)) {
        throw new ConfigError('what may the auditor see? --within ID... or --all')
      }
      const { instance } = profileOf(own)
      const body = {
        name,
        ...(within ? { scope: within.map((id) => fullId(id, instance)) } : { all }),
        ...(expires === undefined ? {} : { expiresAt: expires }),
      }
      const ask = async (api: ApiClient): Promise<Auditor> => {
        const { token, ...made } = await api.call<Auditor & { token: string }>(
          'POST',
          '/admin/auditors',
          body,
        )
        if (out === undefined) return { ...made, token }
        writePrivateFile(out, `${token}\n`)
        return { ...made, tokenFile: out }
      }
      await show(own, profileOf(own).gateway(gateway), ask, printRecord)
    })
}

function addRemove(auditor: Command): void {
  auditor
    .command('remove <name>')
    .description('ends the token; the next request is refused')
    .option(...GATEWAY_OPTION)
    .action(async (name: string, { gateway }: { gateway?: string }, own: Command) => {
      await show(
        own,
        profileOf(own).gateway(gateway),
        (api) => api.call('DELETE', apiPath('/admin/auditors', name)),
        () => console.log(`removed ${name}`),
      )
    })
}

interface Query extends Record<string, unknown> {
  readonly position: number
  readonly parameters?: Readonly<Record<string, unknown>>
}

function addQueries(auditor: Command): void {
  auditor
    .command('queries')
    .description('what was asked of the log, by whom and how much was given; oldest first')
    .option('--limit <n>', 'at most this many', '50')
    .option('--after <position>', 'those after the last line of the page before')
    .option(...GATEWAY_OPTION)
    .action(async (options: Record<string, string>, own: Command) => {
      const { gateway, ...page } = options
      const path = `/admin/audit-queries?${new URLSearchParams(page).toString()}`
      const ask = (api: ApiClient) => api.call<{ queries: Query[]; next?: number }>('GET', path)
      await show(own, profileOf(own).gateway(gateway), ask, ({ queries, next }) => {
        printTable(
          ['POSITION', 'TIME', 'WHO', 'QUERY', 'RESULTS', 'ASKED'],
          queries.map((q) => [q.position, q.at, q.actor, q.query, q.results, q.parameters]),
        )
        if (next !== undefined) console.log(`more: --after ${next}`)
      })
    })
}
