import type { Command } from 'commander'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { writePrivateFile } from '../../runtime/private-file.ts'
import { fullId, profileOf, show } from '../context.ts'
import { printRecord, printTable } from '../output.ts'
import { addAnchorCommands } from './catalogue-anchor.ts'
import { addAuditCommands } from './catalogue-audit.ts'
import { readDescription } from './description-file.ts'

type Row = Record<string, unknown>

/** `spean catalogue`: who may administer it, what waits for approval, and what was done. */
export function addCatalogueAccessCommands(program: Command): void {
  const catalogue = program
    .command('catalogue')
    .description('requests for registration, API keys and the audit trail of the catalogue')
  catalogue
    .command('whoami')
    .description('says as whom, and in what role, the catalogue knows this profile')
    .action(async (_options: object, own: Command) => {
      const ask = (api: ApiClient) => api.call<Row>('GET', '/admin/whoami')
      await show(own, profileOf(own).catalogue(), ask, printRecord)
    })
  addRequestCommands(catalogue)
  addKeyCommands(catalogue)
  addAuditCommands(catalogue)
  addAnchorCommands(catalogue)
}

interface RequestOptions {
  readonly reason: string
  readonly address?: string
  readonly client?: string[]
  readonly openapi?: string
  readonly classification?: string
  readonly validation?: string
}

function addRequestCommands(catalogue: Command): void {
  catalogue
    .command('request <kind> <id> [name]')
    .description('asks the operator to register a member, subsystem, gateway or service')
    .requiredOption('--reason <text>', 'why it is needed')
    .option('--address <url>', 'of a gateway: https://HOST:PORT')
    .option('--client <id...>', 'of a gateway: CLASS/MEMBER/SUBSYSTEM that it speaks for')
    .option('--openapi <file-or-url>', 'of a service: its OpenAPI description, in JSON')
    .option('--classification <word>', 'of a service: public, internal, personal or sensitive')
    .option('--validation <mode>', 'of a service: enforce, report or off')
    .action(async (kind: string, id: string, name: string | undefined, options, own: Command) => {
      const profile = profileOf(own)
      const body = await toBody(kind, name, options as RequestOptions, profile.instance)
      const { reason } = options as RequestOptions
      const asked = { kind, id: fullId(id, profile.instance), body, reason }
      const ask = (api: ApiClient) => api.call<Row>('POST', '/admin/requests', asked)
      await show(own, profile.catalogue(), ask, printRequest)
    })
  catalogue
    .command('requests')
    .description('lists what was asked for')
    .option('--state <word>', 'pending, approved, refused or withdrawn', 'pending')
    .option('--after <position>', 'where the page before ended: its next', '0')
    .action(async ({ state, after }: { state: string; after: string }, own: Command) => {
      const path = `/admin/requests?${new URLSearchParams({ state, after }).toString()}`
      const ask = (api: ApiClient) => api.call<{ requests: Row[] }>('GET', path)
      await show(own, profileOf(own).catalogue(), ask, ({ requests }) => {
        printTable(
          ['ID', 'KIND', 'SUBJECT', 'BY', 'AT', 'STATE', 'REASON'],
          requests.map((r) => [
            ...[r.id, r.kind, r.subject, r.requestedBy, r.requestedAt, r.state],
            r.decision ?? r.reason,
          ]),
        )
      })
    })
  addDecision(catalogue, 'approve', 'approves a request, and registers what it asks for')
  addDecision(catalogue, 'refuse', 'refuses a request')
  addDecision(catalogue, 'withdraw', 'takes a request of your own back')
}

function addDecision(catalogue: Command, verb: string, description: string): void {
  catalogue
    .command(`${verb} <id>`)
    .description(description)
    .requiredOption('--reason <text>', 'why; whoever asked reads it')
    .action(async (id: string, { reason }: { reason: string }, own: Command) => {
      const path = apiPath('/admin/requests', id, verb)
      const ask = (api: ApiClient) => api.call<Row>('POST', path, { reason })
      await show(own, profileOf(own).catalogue(), ask, printRequest)
    })
}

const printRequest = ({ body: _body, position: _position, ...rest }: Row): void => printRecord(rest)

async function toBody(
  kind: string,
  name: string | undefined,
  options: RequestOptions,
  instance: string,
) {
  if (kind === 'gateway') {
    const { address, client = [] } = options
    const clients = client.map((id) => fullId(id, instance))
    if (address !== undefined) return { address, clients }
    throw new ConfigError('a gateway has an address: --address https://HOST:PORT')
  }
  if (name === undefined) throw new ConfigError(`say how the ${kind} is called`)
  if (kind !== 'service') return { name }
  const { openapi, classification, validation } = options
  return {
    title: name,
    ...(classification === undefined ? {} : { classification }),
    ...(validation === undefined ? {} : { validation }),
    ...(openapi === undefined ? {} : { description: await readDescription(openapi) }),
  }
}

interface KeyOptions {
  readonly scope?: string[]
  readonly person?: string
  readonly days: string
  readonly out: string
}

function addKeyCommands(catalogue: Command): void {
  const key = catalogue.command('key').description('API keys for machines')
  key
    .command('add <name> <role>')
    .description('makes a key: admin, member-admin, service-owner or auditor')
    .requiredOption('--out <file>', 'where the key goes; it is not shown again')
    .option('--scope <id...>', 'members of a member-admin; subsystems or services of an owner')
    .option('--person <name>', 'who will hold it, for the operator to say')
    .option('--days <number>', 'how long it is good, at most 366', '90')
    .action(async (name: string, role: string, options: KeyOptions, own: Command) => {
      const profile = profileOf(own)
      const { scope, person, days, out } = options
      const body = {
        ...{ name, role, days: Number(days) },
        ...(scope ? { scope: scope.map((id) => fullId(id, profile.instance)) } : {}),
        ...(person === undefined ? {} : { person }),
      }
      const ask = async (api: ApiClient) => {
        const { key: secret, ...made } = await api.call<Row>('POST', '/admin/keys', body)
        writePrivateFile(out, `${String(secret)}\n`)
        return { ...made, file: out }
      }
      await show(own, profile.catalogue(), ask, printRecord)
    })
  key
    .command('list')
    .description('lists keys, without their secrets')
    .action(async (_options: object, own: Command) => {
      const ask = (api: ApiClient) => api.call<{ keys: Row[] }>('GET', '/admin/keys')
      await show(own, profileOf(own).catalogue(), ask, ({ keys }) => {
        const columns = ['id', 'name', 'role', 'scope', 'person', 'expiresAt', 'lastUsedAt']
        printTable(
          [...columns, 'revokedAt'].map((column) => column.toUpperCase()),
          keys.map((row) => [...columns, 'revokedAt'].map((column) => row[column])),
        )
      })
    })
  key
    .command('revoke <id>')
    .description('revokes a key, and every key that was made by it')
    .action(async (id: string, _options: object, own: Command) => {
      const path = apiPath('/admin/keys', id)
      const ask = (api: ApiClient) => api.call('DELETE', path)
      await show(own, profileOf(own).catalogue(), ask, () => console.log(`revoked ${id}`))
    })
}
