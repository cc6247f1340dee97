import type { Command } from 'commander'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { fullId, profileOf, show } from '../context.ts'
import { printLine, printRecord, printTable } from '../output.ts'

interface Hold extends Record<string, unknown> {
  readonly id: string
  readonly at: string
  readonly reason: string
  readonly isHolding: boolean
}
interface Rule {
  readonly service?: string
  readonly classification?: string
  readonly days: number
}
interface Retention {
  readonly rules: { rule: Rule; due: number; held: number }[]
  readonly lastRunAt?: string
  readonly fault?: string
}
type Options = Readonly<Record<string, string>>

const GATEWAY = ['-g, --gateway <name>', 'gateway of the profile; else SPEAN_GATEWAY'] as const
const REASON = ['--reason <text>', 'why; it is recorded in the log'] as const

/** `spean log erase`, `spean log hold` and `spean log retention`. */
export function addErasureCommands(log: Command): void {
  log
    .command('erase <exchange-id>')
    .description(
      'destroys what was kept of an exchange, header blocks and bodies; its records stay',
    )
    .requiredOption(...REASON)
    .option(...GATEWAY)
    .action(async (id: string, { gateway, reason }: Options, command: Command) => {
      const path = apiPath('/admin/log', id, 'erasure')
      const ask = (api: ApiClient) => api.call<{ positions: number[] }>('POST', path, { reason })
      await show(command, profileOf(command).gateway(gateway), ask, ({ positions }) => {
        if (positions.length === 0) printLine('nothing was kept of it any more')
        else printLine(`erased what was kept at ${positions.join(', ')}`)
      })
    })
  addHoldCommands(log.command('hold').description('legal holds: what may not be erased'))
  log
    .command('retention')
    .description('what the rules of exchangeLog.rules would erase now')
    .option(...GATEWAY)
    .option('--run', 'erase it now, instead of within the hour')
    .action(async ({ gateway, run }: Options, command: Command) => {
      const ask = async (api: ApiClient): Promise<Retention> => {
        const due = await api.call<Retention>('GET', '/admin/retention')
        if (run) await api.call('POST', '/admin/retention', {})
        return due
      }
      await show(command, profileOf(command).gateway(gateway), ask, (answer) => {
        const { rules, lastRunAt, fault } = answer
        printTable(
          ['SERVICE', 'CLASSIFICATION', 'DAYS', 'DUE', 'HELD'],
          rules.map(({ rule, due, held }) => [
            ...[rule.service, rule.classification, rule.days, due, held],
          ]),
        )
        printRecord({ 'last run': lastRunAt ?? 'none', fault })
      })
    })
}

function addHoldCommands(hold: Command): void {
  hold
    .command('add')
    .description('keeps exchanges from being erased: those that fit all that is said')
    .requiredOption(...REASON)
    .option(...GATEWAY)
    .option('--exchange-id <id>', 'one exchange')
    .option('--client <id>', 'a member or subsystem')
    .option('--service <id>', 'a member, subsystem or service')
    .option('--user-id <id>', 'X-Road-UserId')
    .option('--issue <id>', 'the case, X-Road-Issue')
    .option('--from <time>', 'begun at or after this time (2026-01-31T08:00:00Z)')
    .option('--to <time>', 'begun before this time')
    .action(async ({ gateway, ...body }: Options, command: Command) => {
      const { instance } = profileOf(command)
      const ids = ['client', 'service'].flatMap((name) =>
        body[name] === undefined ? [] : [[name, fullId(body[name], instance)]],
      )
      const scope: object = { ...body, ...Object.fromEntries(ids) }
      const ask = (api: ApiClient) => api.call<Hold>('POST', '/admin/holds', scope)
      await show(command, profileOf(command).gateway(gateway), ask, printRecord)
    })
  hold
    .command('list')
    .description('every hold that there was, oldest first')
    .option(...GATEWAY)
    .action(async ({ gateway }: Options, command: Command) => {
      const ask = (api: ApiClient) => api.call<{ holds: Hold[] }>('GET', '/admin/holds')
      await show(command, profileOf(command).gateway(gateway), ask, ({ holds }) => {
        printTable(
          ['ID', 'SINCE', 'STATE', 'COVERS', 'REASON'],
          holds.map((one) => [
            ...[one.id, one.at, one.isHolding ? 'holding' : 'released'],
            ...[coverOf(one), one.reason],
          ]),
        )
      })
    })
  hold
    .command('release <id>')
    .description('ends a hold')
    .requiredOption(...REASON)
    .option(...GATEWAY)
    .action(async (id: string, { gateway, reason = '' }: Options, command: Command) => {
      const query = new URLSearchParams({ reason }).toString()
      const path = `${apiPath('/admin/holds', id)}?${query}`
      const ask = (api: ApiClient) => api.call<undefined>('DELETE', path)
      await show(command, profileOf(command).gateway(gateway), ask, () => printLine('released'))
    })
}

const SCOPE = ['exchangeId', 'client', 'service', 'userId', 'issue', 'from', 'to'] as const

function coverOf(hold: Hold): string {
  const said = SCOPE.filter((name) => hold[name] !== undefined)
  return said.map((name) => `${name} ${String(hold[name])}`).join(', ')
}
