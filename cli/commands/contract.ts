import type { Command } from 'commander'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { fullId, profileOf, show } from '../context.ts'
import { printRecord, printTable } from '../output.ts'

interface ContractView extends Record<string, unknown> {
  readonly id: string
  readonly state: string
  readonly digest: string
  readonly client: string
  readonly service: string
  readonly endpoints: { method: string; path: string; fields?: string[] }[]
  readonly purposes: string[]
  readonly validFrom: string
  readonly validUntil: string
  readonly quota?: { perSecond?: number; perDay?: number }
  readonly maxBodyBytes?: number
  readonly otherFields: string
  readonly user?: string
  readonly case?: boolean
  readonly reason: string
  readonly follows?: string
  readonly answeredBy?: string
  readonly signedBy: { member: string; signedAt: string }[]
  readonly statement?: { kind: string; by: string; at: string; reason: string }
  readonly handedIn: boolean
  readonly fault?: string
}
interface GatewayOption {
  readonly gateway?: string
}
interface TermOptions extends GatewayOption {
  readonly endpoint?: string[]
  readonly field?: string[]
  readonly purpose?: string[]
  readonly perSecond?: string
  readonly perDay?: string
  readonly maxBody?: string
  readonly from?: string
  readonly until?: string
  readonly otherFields?: string
  readonly user?: string
  readonly case?: boolean
  readonly reason: string
}

const GATEWAY_OPTION = [
  '-g, --gateway <name>',
  'gateway of the profile; else SPEAN_GATEWAY',
] as const
const REASON_OPTION = ['--reason <text>', 'why; the other member reads it'] as const
const DAY_MS = 86_400_000

/** `spean contract`: what a client may ask of a service, signed by both members. */
export function addContractCommands(program: Command): void {
  const contract = program
    .command('contract')
    .description('what a client may ask of a service, signed by both members')
  addReadingCommands(contract)
  addDocumentsCommand(contract)
  addRequestCommand(contract)
  addAnswerCommands(contract)
}

function addReadingCommands(contract: Command): void {
  contract
    .command('list')
    .description('requests, offers and contracts of a gateway')
    .option('--state <state>', 'requested, offered, in-force, expired, refused, revoked, …')
    .option('--client <id>', 'of one client')
    .option('--service <id>', 'for one service')
    .option(...GATEWAY_OPTION)
    .action(async (options: GatewayOption & Record<string, string>, own: Command) => {
      const { instance } = profileOf(own)
      const { state, client, service } = options
      const query = new URLSearchParams({
        ...(state ? { state } : {}),
        ...(client ? { client: fullId(client, instance) } : {}),
        ...(service ? { service: fullId(service, instance) } : {}),
      })
      const ask = (api: ApiClient) =>
        api.call<{ contracts: ContractView[]; fault?: string }>(
          'GET',
          `/admin/contracts?${query.toString()}`,
        )
      const api = profileOf(own).gateway(options.gateway)
      await show(own, api, ask, ({ contracts, fault }) => {
        printTable(
          ['ID', 'STATE', 'CLIENT', 'SERVICE', 'UNTIL', 'REASON'],
          contracts.map((c) => [c.id, stateText(c), c.client, c.service, c.validUntil, c.reason]),
        )
        if (fault !== undefined) console.error(`the catalogue cannot be followed: ${fault}`)
      })
    })
  contract
    .command('show <id>')
    .description('one of them, with its clauses, signatures and what was said of it')
    .option(...GATEWAY_OPTION)
    .action(async (id: string, { gateway }: GatewayOption, own: Command) => {
      const ask = (api: ApiClient) => api.call<ContractView>('GET', apiPath('/admin/contracts', id))
      await show(own, profileOf(own).gateway(gateway), ask, printContract)
    })
}

/** At the catalogue, for the operator. */
function addDocumentsCommand(contract: Command): void {
  contract
    .command('documents')
    .description('what the catalogue took in: requests, offers, contracts, refusals, revocations')
    .action(async (_options: object, own: Command) => {
      const ask = (api: ApiClient) =>
        api.call<{ documents: Record<string, unknown>[] }>('GET', '/admin/contracts')
      await show(own, profileOf(own).catalogue(), ask, ({ documents }) => {
        printTable(
          ['POSITION', 'KIND', 'CLIENT', 'SERVICE', 'SIGNED BY', 'AT', 'CONTRACT'],
          documents.map((d) => [
            ...[d.position, d.kind, d.client, d.service, d.signedBy, d.receivedAt, d.contract],
          ]),
        )
      })
    })
}

function addRequestCommand(contract: Command): void {
  terms(contract.command('request <client> <service>'))
    .description('asks for a contract in the name of a client; at a provider: offers one')
    .requiredOption(...REASON_OPTION)
    .action(async (client: string, service: string, options: TermOptions, own: Command) => {
      const { instance } = profileOf(own)
      const { reason, until, endpoint = ['* /**'] } = options
      const body = {
        ...changesOf({ ...options, endpoint, until: until ?? '365d' }),
        client: fullId(client, instance),
        service: fullId(service, instance),
        reason,
      }
      await post(own, options, '/admin/contracts', body)
    })
}

function addAnswerCommands(contract: Command): void {
  const one = (verb: string, description: string): Command =>
    contract.command(`${verb} <id>`).description(description)
  const at = (id: string, verb: string): string => apiPath('/admin/contracts', id, verb)

  one('approve', 'signs a request as it is, or an offer that was made to a client of ours')
    .option(...GATEWAY_OPTION)
    .action((id: string, options: GatewayOption, own: Command) =>
      post(own, options, at(id, 'approve'), {}),
    )
  terms(one('narrow', 'answers a request with less; the client’s gateway signs that by itself'))
    .requiredOption(...REASON_OPTION)
    .action((id: string, options: TermOptions, own: Command) =>
      post(own, options, at(id, 'narrow'), { ...changesOf(options), reason: options.reason }),
    )
  for (const [verb, description] of [
    ['refuse', 'answers a request with no'],
    ['revoke', 'ends a contract at once; either member can'],
  ] as const) {
    one(verb, description)
      .requiredOption(...REASON_OPTION)
      .option(...GATEWAY_OPTION)
      .action((id: string, options: GatewayOption & { reason: string }, own: Command) =>
        post(own, options, at(id, verb), { reason: options.reason }),
      )
  }
  one('renew', 'asks for the same contract for another time; the other member approves it')
    .option('--from <time>', 'from when on; now')
    .requiredOption('--until <time>', 'until when: 2027-12-31, RFC 3339, or 90d from now')
    .requiredOption(...REASON_OPTION)
    .option(...GATEWAY_OPTION)
    .action((id: string, options: TermOptions, own: Command) => {
      const { validFrom, validUntil } = changesOf(options)
      const body = { ...(validFrom ? { validFrom } : {}), validUntil, reason: options.reason }
      return post(own, options, at(id, 'renew'), body)
    })
}

function terms(command: Command): Command {
  return command
    .option('--endpoint <endpoint...>', "as 'GET /persons/*'; of a request all when left out")
    .option('--field <pointer...>', 'fields of answers: /name /addresses/*/city; all when left out')
    .option('--purpose <purpose...>', 'purposes of calls; any when left out')
    .option('--per-second <calls>', 'quota')
    .option('--per-day <calls>', 'quota; days are of UTC')
    .option('--max-body <bytes>', 'longest body of a request')
    .option('--from <time>', 'from when on; now')
    .option('--until <time>', 'until when: 2027-12-31, RFC 3339, or 90d from now; a year')
    .option('--other-fields <what>', 'refuse or strip answers’ other fields; strip')
    .option('--user <what>', 'named: a call names its user; token: by a signed token')
    .option('--case', 'a call names its case')
    .option(...GATEWAY_OPTION)
}

async function post(
  own: Command,
  { gateway }: GatewayOption,
  path: string,
  body: object,
): Promise<void> {
  const ask = (api: ApiClient) => api.call<ContractView>('POST', path, body)
  await show(own, profileOf(own).gateway(gateway), ask, printContract)
}

function changesOf(options: Partial<TermOptions>): Record<string, unknown> {
  const { endpoint, field, purpose, perSecond, perDay, maxBody, from, until, otherFields } = options
  if (field !== undefined && endpoint === undefined) {
    throw new ConfigError('--field: say with --endpoint of what')
  }
  const quota = {
    ...(perSecond === undefined ? {} : { perSecond: Number(perSecond) }),
    ...(perDay === undefined ? {} : { perDay: Number(perDay) }),
  }
  return {
    ...(endpoint ? { endpoints: endpoint.map((text) => parseEndpoint(text, field)) } : {}),
    ...(purpose ? { purposes: purpose } : {}),
    ...(Object.keys(quota).length === 0 ? {} : { quota }),
    ...(maxBody === undefined ? {} : { maxBodyBytes: Number(maxBody) }),
    ...(from === undefined ? {} : { validFrom: parseTime('--from', from) }),
    ...(until === undefined ? {} : { validUntil: parseTime('--until', until) }),
    ...(otherFields === undefined ? {} : { otherFields }),
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.case === undefined ? {} : { case: options.case }),
  }
}

function parseEndpoint(text: string, fields: string[] | undefined): object {
  const [method, path, ...rest] = text.trim().split(/\s+/)
  if (!method || !path || rest.length > 0) {
    throw new ConfigError(`${text}: write an endpoint as 'GET /path/*'`)
  }
  return { method: method.toUpperCase(), path, ...(fields ? { fields } : {}) }
}

function parseTime(option: string, text: string): string {
  const days = /^(\d{1,5})d$/.exec(text)?.[1]
  const time = days ? new Date(Date.now() + Number(days) * DAY_MS) : new Date(text)
  if (Number.isNaN(time.getTime())) {
    throw new ConfigError(`${option} ${text}: write 2027-12-31, 2027-12-31T12:00:00Z or 90d`)
  }
  return time.toISOString().replace(/\.\d+Z$/, 'Z')
}

function printContract(contract: ContractView): void {
  const { endpoints, quota, signedBy, statement, purposes } = contract
  const both = endpoints.map(
    ({ method, path, fields }) => `${method} ${path}${fields ? ` (${fields.join(' ')})` : ''}`,
  )
  printRecord({
    id: contract.id,
    state: stateText(contract),
    client: contract.client,
    service: contract.service,
    endpoints: both,
    purposes: purposes.length === 0 ? 'any' : purposes,
    valid: `${contract.validFrom} to ${contract.validUntil}`,
    quota: quota && quotaText(quota),
    'max body': contract.maxBodyBytes,
    'other fields': contract.otherFields,
    user: contract.user,
    case: contract.case,
    reason: contract.reason,
    'signed by': signedBy.map(({ member, signedAt }) => `${member} at ${signedAt}`),
    [statement?.kind ?? 'statement']:
      statement && `by ${statement.by} at ${statement.at}: ${statement.reason}`,
    follows: contract.follows,
    'answered by': contract.answeredBy,
    digest: contract.digest,
    fault: contract.fault,
  })
}

function quotaText({ perSecond, perDay }: NonNullable<ContractView['quota']>): string {
  const parts = [
    ...(perSecond === undefined ? [] : [`${perSecond} a second`]),
    ...(perDay === undefined ? [] : [`${perDay} a day`]),
  ]
  return parts.join(', ')
}

const stateText = ({ state, handedIn, fault }: ContractView): string =>
  fault === undefined ? (handedIn ? state : `${state}, not handed in yet`) : `${state}, not taken`
