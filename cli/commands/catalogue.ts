import type { Command } from 'commander'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { localParts, profileOf, show } from '../context.ts'
import { printRecord, printTable } from '../output.ts'
import { readDescription } from './description-file.ts'
import { readText } from '../read-text.ts'
import { addServiceLifeCommands, printService } from './service-life.ts'
import { addWebhookCommands } from './webhooks.ts'
import { addGatewayKeyCommands } from './witnesses.ts'

type Row = Record<string, unknown>

interface Resource {
  readonly name: string
  /** In paths and answers. */
  readonly plural: string
  readonly description: string
  /** How an id is written on the command line. */
  readonly id: string
  readonly parts: number
  readonly columns: readonly string[]
}

const MEMBER: Resource = {
  name: 'member',
  plural: 'members',
  description: 'members of the instance',
  id: 'CLASS/MEMBER',
  parts: 2,
  columns: ['id', 'name'],
}
const SUBSYSTEM: Resource = {
  name: 'subsystem',
  plural: 'subsystems',
  description: 'subsystems of members',
  id: 'CLASS/MEMBER/SUBSYSTEM',
  parts: 3,
  columns: ['id', 'name'],
}
const SERVICE: Resource = {
  name: 'service',
  plural: 'services',
  description: 'services in the catalogue, and where a gateway reaches its own',
  id: 'CLASS/MEMBER/SUBSYSTEM/SERVICE',
  parts: 4,
  columns: ['id', 'type', 'version', 'state', 'classification', 'title'],
}
const GATEWAY: Resource = {
  name: 'gateway',
  plural: 'gateways',
  description: 'gateways of the instance',
  id: 'CLASS/MEMBER/GATEWAY',
  parts: 3,
  columns: ['id', 'address', 'clients'],
}

/** `spean member|subsystem|service|gateway`: what the catalogue knows. */
export function addCatalogueCommands(program: Command): void {
  const member = addResource(program, MEMBER)
  addPut(member, MEMBER, '<name>', (name) => ({ name }))
  addCertificate(member, MEMBER, 'signing')
  const subsystem = addResource(program, SUBSYSTEM)
  addPut(subsystem, SUBSYSTEM, '<name>', (name) => ({ name }))
  const gateway = addResource(program, GATEWAY)
  gateway
    .command(`add <id> <address>`)
    .description(`registers ${GATEWAY.id} at https://HOST:PORT, or changes it`)
    .option('--client <id...>', 'INSTANCE/CLASS/MEMBER/SUBSYSTEM that it speaks for', [])
    .action(
      async (id: string, address: string, { client }: { client: string[] }, command: Command) => {
        await put(command, GATEWAY, id, { address, clients: client })
      },
    )
  addCertificate(gateway, GATEWAY, 'authentication')
  addGatewayKeyCommands(gateway)
  const service = addResource(program, SERVICE)
  addServiceCommands(service)
  addServiceLifeCommands(service)
  addWebhookCommands(program)
}

interface ServiceOptions {
  readonly openapi?: string
  readonly classification?: string
  readonly validation?: string
  readonly as?: string
  readonly draft?: boolean
  readonly effective?: string
  readonly reason?: string
}

function addServiceCommands(service: Command): void {
  service
    .command('add <id> <title>')
    .description(`registers ${SERVICE.id} in the catalogue, or changes it`)
    .option('--openapi <file-or-url>', 'its OpenAPI description, in JSON')
    .option('--classification <word>', 'public, internal, personal or sensitive: what its data is')
    .option(
      '--validation <mode>',
      'enforce, report or off: what happens to messages that are not as described',
    )
    .option('--as <version>', 'MAJOR.MINOR.PATCH; a breaking change needs a new MAJOR')
    .option('--draft', 'a new service is not published yet')
    .option('--effective <time>', 'when the change takes effect, by RFC 3339')
    .option('--reason <text>', 'why consumers have less notice than they should')
    .action(async (id: string, title: string, options: ServiceOptions, command: Command) => {
      const { openapi, as: version, draft, effective: effectiveAt, ...others } = options
      const more = { ...others, version, effectiveAt, ...(draft ? { state: 'draft' } : {}) }
      const description = openapi === undefined ? undefined : await readDescription(openapi)
      const body = { title, ...more, ...(description ? { description } : {}) }
      const call = (api: ApiClient) => api.call<Row>('PUT', pathOf(command, SERVICE, id), body)
      await show(command, profileOf(command).catalogue(), call, printService)
    })
}

function addResource(program: Command, resource: Resource): Command {
  const command = program.command(resource.name).description(resource.description)
  command
    .command('list')
    .description(`lists ${resource.description}`)
    .action(async (_options: object, own: Command) => {
      const ask = (api: ApiClient) =>
        api.call<Record<string, Row[]>>('GET', `/admin/${resource.plural}`)
      await show(own, profileOf(own).catalogue(), ask, (answer) => {
        const rows = answer[resource.plural] ?? []
        printTable(
          resource.columns.map((column) => column.toUpperCase()),
          rows.map((row) => resource.columns.map((column) => row[column])),
        )
      })
    })
  const remove = command.command('remove <id>').description(`removes ${resource.id}`)
  if (resource === SERVICE) {
    remove.option('--reason <text>', 'why a described service goes that is not retired')
  }
  remove.action(async (id: string, { reason }: { reason?: string }, own: Command) => {
    const query = reason === undefined ? '' : `?reason=${encodeURIComponent(reason)}`
    const path = `${pathOf(own, resource, id)}${query}`
    await show(
      own,
      profileOf(own).catalogue(),
      (api) => api.call('DELETE', path),
      () => console.log(`removed ${id}`),
    )
  })
  return command
}

function addPut(
  command: Command,
  resource: Resource,
  argument: string,
  toBody: (value: string) => object,
): void {
  command
    .command(`add <id> ${argument}`)
    .description(`registers ${resource.id}, or changes it`)
    .action(async (id: string, value: string, _options: object, own: Command) => {
      await put(own, resource, id, toBody(value))
    })
}

function addCertificate(command: Command, resource: Resource, kind: string): void {
  command
    .command('certificate <id> <file>')
    .description(`registers a ${kind} certificate (PEM) for ${resource.id}`)
    .action(async (id: string, file: string, _options: object, own: Command) => {
      const path = `${pathOf(own, resource, id)}/certificates`
      const certificate = firstCertificate(readText(file), file)
      const ask = (api: ApiClient) => api.call<Row>('POST', path, { certificate })
      await show(own, profileOf(own).catalogue(), ask, ({ pem: _pem, ...rest }) =>
        printRecord(rest),
      )
    })
}

async function put(own: Command, resource: Resource, id: string, body: object): Promise<void> {
  const path = pathOf(own, resource, id)
  const ask = (api: ApiClient) => api.call<Row>('PUT', path, body)
  await show(own, profileOf(own).catalogue(), ask, ({ certificates, ...rest }) =>
    printRecord({ ...rest, ...thumbprintsOf(certificates) }),
  )
}

/** Of certificates for people: which they are; the whole of them is in `--json`. */
const thumbprintsOf = (certificates: unknown): object =>
  Array.isArray(certificates) && certificates.length > 0
    ? { certificates: certificates.map(({ thumbprint }: { thumbprint: string }) => thumbprint) }
    : {}

function pathOf(command: Command, resource: Resource, id: string): string {
  const parts = localParts(id, profileOf(command).instance, resource.parts)
  if (parts.length !== resource.parts) throw new ConfigError(`${id}: write ${resource.id}`)
  return apiPath(`/admin/${resource.plural}`, ...parts)
}

/** Programs want the chain behind it in the same file; the catalogue wants the certificate. */
function firstCertificate(pem: string, file: string): string {
  const end = '-----END CERTIFICATE-----'
  const until = pem.indexOf(end)
  if (until < 0) throw new ConfigError(`${file}: holds no PEM certificate`)
  return `${pem.slice(0, until)}${end}\n`
}
