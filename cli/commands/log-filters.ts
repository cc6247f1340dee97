import { Option, type Command } from 'commander'
import { fullId, profileOf } from '../context.ts'

/** Flags of the commands that search the log; each is a filter of the API. */
const FLAGS: readonly [flag: string, filter: string, help: string][] = [
  ['--from <time>', 'from', 'begun at or after this time (2026-01-31T08:00:00Z)'],
  ['--to <time>', 'to', 'begun before this time'],
  ['--client <id>', 'client', 'INSTANCE/CLASS/MEMBER/SUBSYSTEM; a * at the end for a prefix'],
  [
    '--service <id>',
    'service',
    'INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE; a * at the end for a prefix',
  ],
  ['--user <id>', 'userId', 'the user, as X-Road-UserId named it'],
  ['--case <id>', 'issue', 'the case, as X-Road-Issue named it'],
  ['--purpose <text>', 'purpose', 'the purpose that was stated'],
  ['--outcome <outcome>', 'outcome', 'ok, error, refused or unanswered'],
  ['--code <code>', 'code', 'error code of a refusal, as access.denied'],
  ['--id <id>', 'id', "exchange id, or the client's own message id"],
]

export const GATEWAY_OPTION = [
  '-g, --gateway <name>',
  'gateway of the profile; else SPEAN_GATEWAY',
] as const

export function addFilters(command: Command): Command {
  for (const [flag, , help] of FLAGS) command.option(flag, help)
  return command
}

/** The query string of what was given, `more` included. */
export function queryOf(
  command: Command,
  more: Readonly<Record<string, string | undefined>> = {},
): URLSearchParams {
  const options = command.opts<Record<string, string | undefined>>()
  const query = new URLSearchParams()
  for (const [flag, filter] of FLAGS) {
    const value = options[new Option(flag).attributeName()]
    if (value === undefined) continue
    const isId = filter === 'client' || filter === 'service'
    query.set(filter, isId ? fullId(value, profileOf(command).instance) : value)
  }
  for (const [name, value] of Object.entries(more)) {
    if (value !== undefined) query.set(name, value)
  }
  return query
}
