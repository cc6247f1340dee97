import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { fullId, localParts, profileOf, show } from '../context.ts'
import { printRecord, printTable } from '../output.ts'

interface Grant extends Record<string, unknown> {
  readonly id: string
  readonly subject: string
  readonly service: string
  readonly endpoints: { method: string; path: string }[]
  readonly grantedAt: string
}
interface GatewayOption {
  readonly gateway?: string
}

const GATEWAY_OPTION = [
  '-g, --gateway <name>',
  'gateway of the profile; else SPEAN_GATEWAY',
] as const

/** What a gateway's own administrator decides: `spean grant`, `service connect`, `information-system`. */
export function addGatewayCommands(program: Command): void {
  addGrantCommands(program.command('grant').description('who may call what, at the provider'))
  const service = program.commands.find((command) => command.name() === 'service')
  if (service) addConnectCommands(service)
  addSystemCommands(
    program
      .command('information-system')
      .description('certificates with which information systems call a gateway'),
  )
}

function addGrantCommands(grant: Command): void {
  grant
    .command('list')
    .description('grants of a gateway')
    .option(...GATEWAY_OPTION)
    .action(async ({ gateway }: GatewayOption, own: Command) => {
      const ask = (api: ApiClient) => api.call<{ grants: Grant[] }>('GET', '/admin/grants')
      await show(own, profileOf(own).gateway(gateway), ask, ({ grants }) => {
        printTable(
          ['ID', 'CLIENT', 'SERVICE', 'ENDPOINTS', 'SINCE'],
          grants.map((g) => [g.id, g.subject, g.service, endpointText(g), g.grantedAt]),
        )
      })
    })
  grant
    .command('add <client> <service>')
    .description('lets a client (or group:CODE) call a service; all of it, or some endpoints')
    .option(
      '--endpoint <endpoint...>',
      "as 'GET /' 'GET /*': the list and one segment below it; /** is any number",
    )
    .option(...GATEWAY_OPTION)
    .action(
      async (
        subject: string,
        service: string,
        { gateway, endpoint }: GatewayOption & { endpoint?: string[] },
        own: Command,
      ) => {
        const endpoints = endpoint?.map(parseEndpoint)
        const { instance } = profileOf(own)
        const body = {
          subject: fullId(subject, instance),
          service: fullId(service, instance),
          ...(endpoints ? { endpoints } : {}),
        }
        const ask = (api: ApiClient) => api.call<Grant>('POST', '/admin/grants', body)
        await show(own, profileOf(own).gateway(gateway), ask, (made) =>
          printRecord({ ...made, endpoints: endpointText(made) }),
        )
      },
    )
  grant
    .command('remove <grant-id>')
    .description('takes a grant back; the next call is refused')
    .option(...GATEWAY_OPTION)
    .action(async (id: string, { gateway }: GatewayOption, own: Command) => {
      await show(
        own,
        profileOf(own).gateway(gateway),
        (api) => api.call('DELETE', apiPath('/admin/grants', id)),
        () => console.log(`removed ${id}`),
      )
    })
}

function addConnectCommands(service: Command): void {
  const path = (own: Command, id: string): string => {
    const parts = localParts(id, profileOf(own).instance, 4)
    if (parts.length !== 4) throw new ConfigError(`${id}: write CLASS/MEMBER/SUBSYSTEM/SERVICE`)
    return apiPath('/admin/services', ...parts)
  }
  service
    .command('connections')
    .description('where a gateway reaches its services')
    .option(...GATEWAY_OPTION)
    .action(async ({ gateway }: GatewayOption, own: Command) => {
      const ask = (api: ApiClient) =>
        api.call<{ services: Record<string, unknown>[] }>('GET', '/admin/services')
      await show(own, profileOf(own).gateway(gateway), ask, ({ services }) => {
        printTable(
          ['SERVICE', 'URL', 'TIMEOUT MS'],
          services.map((s) => [s.service, s.url, s.timeoutMs]),
        )
      })
    })
  service
    .command('connect <id> <url>')
    .description('tells a gateway where a service of its own is')
    .option('--timeout-ms <ms>', 'longest wait for its answer')
    .option('--ca <file>', 'PEM certificates that an https service leads to')
    .option(...GATEWAY_OPTION)
    .action(
      async (
        id: string,
        url: string,
        { gateway, timeoutMs, ca }: GatewayOption & { timeoutMs?: string; ca?: string },
        own: Command,
      ) => {
        const body = {
          url,
          ...(timeoutMs === undefined ? {} : { timeoutMs: Number(timeoutMs) }),
          ...(ca === undefined ? {} : { caCertificates: readPem(ca) }),
        }
        const ask = (api: ApiClient) =>
          api.call<Record<string, unknown>>('PUT', path(own, id), body)
        await show(own, profileOf(own).gateway(gateway), ask, printRecord)
      },
    )
  service
    .command('disconnect <id>')
    .description('takes the address of a service away')
    .option(...GATEWAY_OPTION)
    .action(async (id: string, { gateway }: GatewayOption, own: Command) => {
      await show(
        own,
        profileOf(own).gateway(gateway),
        (api) => api.call('DELETE', path(own, id)),
        () => console.log(`disconnected ${id}`),
      )
    })
}

function addSystemCommands(system: Command): void {
  system
    .command('list')
    .description('registered certificates')
    .option(...GATEWAY_OPTION)
    .action(async ({ gateway }: GatewayOption, own: Command) => {
      const ask = (api: ApiClient) =>
        api.call<{ informationSystems: Record<string, unknown>[] }>(
          'GET',
          '/admin/information-systems',
        )
      await show(own, profileOf(own).gateway(gateway), ask, ({ informationSystems }) => {
        printTable(
          ['CLIENT', 'SUBJECT', 'UNTIL', 'THUMBPRINT'],
          informationSystems.map((s) => [s.client, s.subject, s.notAfter, s.thumbprint]),
        )
      })
    })
  system
    .command('add <client> <certificate-file>')
    .description('registers the certificate (PEM) of an information system for a client')
    .option(...GATEWAY_OPTION)
    .action(async (client: string, file: string, { gateway }: GatewayOption, own: Command) => {
      const body = { client: fullId(client, profileOf(own).instance), certificate: readPem(file) }
      const ask = (api: ApiClient) =>
        api.call<Record<string, unknown>>('POST', '/admin/information-systems', body)
      await show(own, profileOf(own).gateway(gateway), ask, printRecord)
    })
  system
    .command('remove <client> <thumbprint>')
    .description('takes a certificate away')
    .option(...GATEWAY_OPTION)
    .action(
      async (client: string, thumbprint: string, { gateway }: GatewayOption, own: Command) => {
        const path = `${apiPath('/admin/information-systems', thumbprint)}?${new URLSearchParams({ client: fullId(client, profileOf(own).instance) }).toString()}`
        await show(
          own,
          profileOf(own).gateway(gateway),
          (api) => api.call('DELETE', path),
          () => console.log(`removed ${thumbprint}`),
        )
      },
    )
}

function endpointText({ endpoints }: Grant): string {
  return endpoints.map(({ method, path }) => `${method} ${path}`).join(', ')
}

function parseEndpoint(text: string): { method: string; path: string } {
  const [method, path, ...rest] = text.trim().split(/\s+/)
  if (!method || !path || rest.length > 0) {
    throw new ConfigError(`${text}: write an endpoint as 'GET /path/*'`)
  }
  return { method: method.toUpperCase(), path }
}

function readPem(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new ConfigError(`${file}: cannot be read (${(cause as NodeJS.ErrnoException).code})`, {
      cause,
    })
  }
}
