import type { Command } from 'commander'
import { formatIdentity } from '../../pki/identity.ts'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { parseDuration } from '../../runtime/duration.ts'
import { profileOf, show } from '../context.ts'
import { printRecord, printTable } from '../output.ts'
import { readIdentity, type LocalIdentity, type OrderKind } from './ca-order.ts'

interface AddOptions {
  readonly gateway?: string[]
  readonly member?: string[]
  readonly informationSystem?: string[]
  readonly server?: string[]
  readonly name?: string[]
  readonly expires: string
  readonly note?: string
}
interface Order {
  readonly kind: OrderKind
  readonly identity: LocalIdentity
  readonly subjectAltNames?: string[]
}
interface Made {
  readonly id: string
  readonly code: string
  readonly expiresAt: string
  readonly estUrl: string
}
interface ListedCode extends Record<string, unknown> {
  readonly orders: { kind: string; identity: string; serial?: string }[]
}

/** `spean ca code`: one-time codes, with which gateways and members enrol. */
export function addCaCodeCommands(ca: Command): void {
  const code = ca.command('code').description('one-time codes, with which gateways enrol')
  addAdd(code)
  code
    .command('list')
    .description('codes and what they are good for; the codes themselves are kept nowhere')
    .action(async (_options: object, own: Command) => {
      const ask = (api: ApiClient) => api.call<{ codes: ListedCode[] }>('GET', '/admin/codes')
      await show(own, profileOf(own).authority(), ask, ({ codes }) => {
        printTable(
          ['ID', 'STATE', 'UNTIL', 'FOR', 'NOTE'],
          codes.map((c) => [
            ...[c.id, c.state, c.expiresAt],
            c.orders.map((o) => `${o.kind} ${o.identity}${o.serial ? ' (issued)' : ''}`),
            c.note,
          ]),
        )
      })
    })
  code
    .command('remove <id>')
    .description('takes a code back; what was issued for it stays')
    .action(async (id: string, _options: object, own: Command) => {
      const ask = (api: ApiClient) => api.call('DELETE', apiPath('/admin/codes', id))
      await show(own, profileOf(own).authority(), ask, () => console.log(`removed ${id}`))
    })
}

function addAdd(code: Command): void {
  code
    .command('add')
    .description('makes a code, which is shown this once, for the certificates named')
    .option(
      '--gateway <id...>',
      'CLASS/MEMBER/GATEWAY: its authentication certificate, and the signing certificate of its member',
    )
    .option('--member <id...>', 'CLASS/MEMBER: the signing certificate of one more member')
    .option('--information-system <id...>', 'CLASS/MEMBER or CLASS/MEMBER/SUBSYSTEM')
    .option('--server <id...>', 'CLASS/MEMBER: HTTPS of the catalogue')
    .option('--name <name...>', 'DNS names and addresses of gateway or server')
    .option('--expires <duration>', 'how long it is good: 12h, 7d', '7d')
    .option('--note <text>', 'for whom, for the list of codes')
    .action(async (options: AddOptions, own: Command) => {
      const profile = profileOf(own)
      const { instance } = profile
      const { note, expires, gateway: gateways = [] } = options
      const body = {
        orders: ordersOf(options, instance),
        validitySeconds: parseDuration(expires) / 1000,
        ...(note === undefined ? {} : { note }),
      }
      const ask = (api: ApiClient) => api.call<Made>('POST', '/admin/codes', body)
      await show(own, profile.authority(), ask, ({ code: text, ...rest }) => {
        printRecord({ code: text, ...rest })
        if (gateways.length === 0) return
        const lines = gateways.map((id) => enrolLine(rest.estUrl, instance, id, options.name))
        console.log(
          `\nTo be run where the gateway is, with the anchor of the catalogue; it asks for the code:\n\n${lines.join('\n')}`,
        )
      })
    })
}

/** What the operator sends to whoever installs the gateway; never the code in it, which others would see. */
function enrolLine(
  estUrl: string,
  instance: string,
  id: string,
  [name = 'HOST', ...others]: readonly string[] = [],
): string {
  const gateway = formatIdentity({ instance, ...readIdentity('authentication', id, instance) })
  const address = `https://${name.includes(':') ? `[${name}]` : name}:5500`
  const names = others.length === 0 ? '' : ` --name ${[name, ...others].join(' ')}`
  return (
    `  spean enroll --authority ${estUrl} --anchor anchor.json --gateway ${shellWord(gateway)} \\\n` +
    `    --address ${address}${names} --dir gateway`
  )
}

/** As a shell reads it back: identifiers may hold spaces and quotes. */
const shellWord = (text: string): string =>
  /^[\p{L}\p{M}\p{N}/_.:@%+-]+$/u.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`

function ordersOf(options: AddOptions, instance: string): Order[] {
  const { gateway = [], member = [], informationSystem = [], server = [], name = [] } = options
  const orders = new Map<string, Order>()
  const add = (kind: OrderKind, id: string, subjectAltNames?: string[]): void => {
    const identity = readIdentity(kind, id, instance)
    const names = subjectAltNames === undefined ? {} : { subjectAltNames }
    orders.set(JSON.stringify([kind, identity]), { kind, identity, ...names })
  }
  if (gateway.length > 0 && name.length === 0) {
    throw new ConfigError('--name: under which DNS names or addresses is the gateway reached?')
  }
  for (const id of gateway) {
    const { memberClass, member: code } = readIdentity('authentication', id, instance)
    add('authentication', id, name)
    add('signing', `${memberClass}/${code}`)
  }
  for (const id of member) add('signing', id)
  for (const id of informationSystem) add('information-system', id)
  for (const id of server) add('server', id, name)
  if (orders.size > 0) return [...orders.values()]
  throw new ConfigError('for whom? --gateway, --member, --information-system or --server')
}
