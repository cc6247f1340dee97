import type { Command } from 'commander'
import type { ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { fullId, profileOf, show } from '../context.ts'
import { printRecord, printTable } from '../output.ts'
import { readText } from '../read-text.ts'

interface IdentityProvider extends Record<string, unknown> {
  readonly member: string
  readonly issuer: string
  readonly jwksUrl?: string
}
interface Options {
  readonly gateway?: string
  readonly jwksUrl?: string
  readonly jwks?: string
  readonly ca?: string
}

const GATEWAY_OPTION = [
  '-g, --gateway <name>',
  "the provider's gateway of the profile; else SPEAN_GATEWAY",
] as const
const PATH = '/admin/identity-providers'

/** `spean gateway identity-provider`: whose signed tokens count for the users of a client's member. */
export function addIdentityProviderCommands(program: Command): void {
  const gateway = program.commands.find((command) => command.name() === 'gateway')
  if (!gateway) return
  const group = gateway
    .command('identity-provider')
    .description("who signs the tokens of users of a client's member, for one provider's gateway")
  group
    .command('list')
    .description('identity providers of a gateway')
    .option(...GATEWAY_OPTION)
    .action(async ({ gateway: name }: Options, own: Command) => {
      const ask = (api: ApiClient) =>
        api.call<{ identityProviders: IdentityProvider[] }>('GET', PATH)
      await show(own, profileOf(own).gateway(name), ask, ({ identityProviders }) =>
        printTable(
          ['MEMBER', 'ISSUER', 'KEYS'],
          identityProviders.map((one) => [one.member, one.issuer, one.jwksUrl ?? 'given']),
        ),
      )
    })
  group
    .command('add <member> <issuer>')
    .description('takes tokens of an issuer for the users of CLASS/MEMBER, or changes its keys')
    .option('--jwks-url <url>', 'where its keys are, https')
    .option('--jwks <file>', 'file with its public keys (JWKS), when they are not fetched')
    .option('--ca <file>', 'PEM certificates that the server of its keys leads to')
    .option(...GATEWAY_OPTION)
    .action(async (member: string, issuer: string, options: Options, own: Command) => {
      const { gateway: name, jwksUrl, jwks, ca } = options
      const body = {
        member: fullId(member, profileOf(own).instance),
        issuer,
        ...(jwksUrl === undefined ? {} : { jwksUrl }),
        ...(jwks === undefined ? {} : { jwks: readKeys(jwks) }),
        ...(ca === undefined ? {} : { caCertificates: readText(ca) }),
      }
      const ask = (api: ApiClient) => api.call<IdentityProvider>('PUT', PATH, body)
      await show(own, profileOf(own).gateway(name), ask, (made) =>
        printRecord({ member: made.member, issuer, keys: made.jwksUrl ?? 'given' }),
      )
    })
  group
    .command('remove <member> <issuer>')
    .description('takes no more tokens of an issuer')
    .option(...GATEWAY_OPTION)
    .action(async (member: string, issuer: string, { gateway: name }: Options, own: Command) => {
      const query = new URLSearchParams({ member: fullId(member, profileOf(own).instance), issuer })
      const ask = (api: ApiClient) => api.call('DELETE', `${PATH}?${query.toString()}`)
      await show(own, profileOf(own).gateway(name), ask, () => console.log(`removed ${issuer}`))
    })
}

function readKeys(file: string): unknown {
  try {
    return JSON.parse(readText(file))
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw new ConfigError(`${file}: is not JSON`, { cause })
  }
}
