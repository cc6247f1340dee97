import type { Command } from 'commander'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { localParts, profileOf, show } from '../context.ts'
import { printRecord, printTable } from '../output.ts'
import { readText } from '../read-text.ts'

interface Witness {
  readonly name: string
  readonly of: string
  readonly url: string
  readonly gateway?: string
  readonly vkey: string
}
interface Policy {
  readonly logPolicy?: string
}
interface Refusal {
  readonly kind: string
  readonly origin: string
  readonly at: string
  readonly isOpen: boolean
  readonly refused: string
  readonly cosigned: string
}
interface LogKey {
  readonly gateway: string
  readonly vkey: string
  readonly url?: string
}

const sizeOf = (note: string): string | undefined => note.split('\n')[1]

/** `spean witness`: who cosigns the logs of gateways, and how many of them a checkpoint needs. */
export function addWitnessCommands(program: Command): void {
  const witness = program.command('witness').description('witnesses of the logs of gateways')
  witness
    .command('list')
    .description('all that the catalogue lists')
    .action(async (_options: object, own: Command) => {
      await show(own, profileOf(own).catalogue(), listWitnesses, (witnesses) =>
        printTable(
          ['NAME', 'OF', 'URL', 'KEY'],
          witnesses.map(({ name, of, url, vkey }) => [name, of, url, vkey]),
        ),
      )
    })
  witness
    .command('add <name> <vkey> <url>')
    .description('lists a witness of somebody else: its verifier key and submission prefix')
    .action(async (name: string, vkey: string, url: string, _options: object, own: Command) => {
      const path = apiPath('/admin/witnesses', name)
      const ask = (api: ApiClient) => api.call<Record<string, unknown>>('PUT', path, { vkey, url })
      await show(own, profileOf(own).catalogue(), ask, printRecord)
    })
  witness
    .command('remove <name>')
    .description('removes a witness of somebody else')
    .action(async (name: string, _options: object, own: Command) => {
      const ask = (api: ApiClient) => api.call('DELETE', apiPath('/admin/witnesses', name))
      await show(own, profileOf(own).catalogue(), ask, () => console.log(`removed ${name}`))
    })
  witness
    .command('refusals')
    .description('checkpoints that a witness refused and kept, newest first: the catalogue, or -g')
    .option('-g, --gateway <name>', 'a gateway of the profile as a witness')
    .action(async ({ gateway }: { gateway?: string }, own: Command) => {
      const profile = profileOf(own)
      const target = gateway === undefined ? profile.catalogue() : profile.gateway(gateway)
      const ask = (api: ApiClient) =>
        api.call<{ refusals: Refusal[] }>('GET', '/admin/witness/refusals')
      await show(own, target, ask, ({ refusals }) =>
        printTable(
          ['TIME', 'KIND', 'LOG', 'REFUSED', 'COSIGNED', 'STANDS'],
          refusals.map(({ at, kind, origin, refused, cosigned, isOpen }) => [
            ...[at, kind, origin, sizeOf(refused), sizeOf(cosigned)],
            isOpen ? 'yes' : 'no',
          ]),
        ),
      )
    })
  addPolicyCommands(witness.command('policy').description('which cosignatures a checkpoint needs'))
}

function addPolicyCommands(policy: Command): void {
  const printPolicy = ({ logPolicy }: Policy): void => void process.stdout.write(logPolicy ?? '')
  policy
    .command('show')
    .description('the policy as it stands in the snapshot (C2SP tlog-policy)')
    .action(async (_options: object, own: Command) => {
      const ask = (api: ApiClient) => api.call<Policy>('GET', '/admin/witness-policy')
      await show(own, profileOf(own).catalogue(), ask, printPolicy)
    })
  policy
    .command('set [names...]')
    .description('none; or with --threshold so many of these witnesses, of all when none is named')
    .option('--threshold <n>', 'how many cosignatures are enough')
    .option('--file <file>', 'lines group and quorum of tlog-policy')
    .action(async (names: string[], options: Record<string, string>, own: Command) => {
      const ask = async (api: ApiClient): Promise<Policy> => {
        const setting = await settingOf(names, options, api, profileOf(own).instance)
        return await api.call<Policy>('PUT', '/admin/witness-policy', setting)
      }
      await show(own, profileOf(own).catalogue(), ask, printPolicy)
    })
}

async function settingOf(
  names: readonly string[],
  { threshold, file }: Record<string, string>,
  api: ApiClient,
  instance: string,
): Promise<object> {
  if (file !== undefined) return { text: readText(file) }
  if (names.length === 1 && names[0] === 'none') return { quorum: 'none' }
  if (threshold === undefined) {
    throw new ConfigError('say none, --threshold N with or without names, or --file FILE')
  }
  if (!/^[1-9]\d{0,3}$/.test(threshold)) {
    throw new ConfigError(`--threshold ${threshold}: is not a whole number from 1 on`)
  }
  if (names.length === 0) return { threshold: Number(threshold) }
  const known = await listWitnesses(api)
  const witnesses = names.map((name) => {
    const id = [instance, ...localParts(name, instance, 3)].join('/')
    const found = known.find(
      (witness) =>
        witness.name === name ||
        witness.gateway === id ||
        (name === 'catalogue' && witness.of === name),
    )
    if (found !== undefined) return found.name
    const all = known.map(
      (witness) => witness.gateway ?? (witness.of === 'catalogue' ? 'catalogue' : witness.name),
    )
    throw new ConfigError(`there is no witness ${name}; there are ${all.join(', ')}`)
  })
  return { threshold: Number(threshold), witnesses }
}

async function listWitnesses(api: ApiClient): Promise<Witness[]> {
  return (await api.call<{ witnesses: Witness[] }>('GET', '/admin/witnesses')).witnesses
}

/** `spean gateway log-keys`, `log-key`, `remove-log-key`, `witness-key`: keys that a gateway does not register itself. */
export function addGatewayKeyCommands(gateway: Command): void {
  const pathOf = (own: Command, id: string): string => {
    const parts = localParts(id, profileOf(own).instance, 3)
    if (parts.length !== 3) throw new ConfigError(`${id}: write CLASS/MEMBER/GATEWAY`)
    return apiPath('/admin/gateways', ...parts)
  }
  const put = async (own: Command, id: string, what: string, body: object): Promise<void> => {
    const path = `${pathOf(own, id)}/${what}`
    const ask = (api: ApiClient) => api.call<Record<string, unknown>>('PUT', path, body)
    await show(own, profileOf(own).catalogue(), ask, printRecord)
  }
  gateway
    .command('log-keys')
    .description('keys of the logs of all gateways, those of before too')
    .action(async (_options: object, own: Command) => {
      const ask = (api: ApiClient) => api.call<{ logKeys: LogKey[] }>('GET', '/admin/log-keys')
      await show(own, profileOf(own).catalogue(), ask, ({ logKeys }) =>
        printTable(
          ['GATEWAY', 'KEY', 'URL'],
          logKeys.map((key) => [key.gateway, key.vkey, key.url]),
        ),
      )
    })
  gateway
    .command('log-key <id> <vkey> [url]')
    .description('adds a key of the log of CLASS/MEMBER/GATEWAY; those of before stay')
    .action(async (id: string, vkey: string, url: string | undefined, _: object, own: Command) => {
      await put(own, id, 'log-keys', { vkey, ...(url === undefined ? {} : { url }) })
    })
  gateway
    .command('remove-log-key <id> <vkey>')
    .description(
      'takes out a key that never was of the log of CLASS/MEMBER/GATEWAY; add its own first',
    )
    .action(async (id: string, vkey: string, _options: object, own: Command) => {
      const path = apiPath(`${pathOf(own, id)}/log-keys`, vkey)
      const ask = (api: ApiClient) => api.call('DELETE', path)
      await show(own, profileOf(own).catalogue(), ask, () => console.log(`removed ${vkey}`))
    })
  gateway
    .command('witness-key <id> <vkey> <url>')
    .description('puts the key and submission prefix of CLASS/MEMBER/GATEWAY as a witness')
    .action(async (id: string, vkey: string, url: string, _options: object, own: Command) => {
      await put(own, id, 'witness', { vkey, url })
    })
}

/** `spean log keys` and `spean log witnesses`, of one gateway. */
export function addLogKeyCommands(log: Command): void {
  log
    .command('keys')
    .description("the gateway's verifier keys: of its log, and as a witness")
    .option('-g, --gateway <name>', 'gateway of the profile; else SPEAN_GATEWAY')
    .action(async ({ gateway }: { gateway?: string }, own: Command) => {
      const ask = (api: ApiClient) =>
        api.call<Record<string, { vkey: string; url?: string }>>('GET', '/admin/log-keys')
      await show(own, profileOf(own).gateway(gateway), ask, (keys) =>
        printTable(
          ['OF', 'KEY', 'URL'],
          Object.entries(keys).map(([of, { vkey, url }]) => [of, vkey, url]),
        ),
      )
    })
  log
    .command('witnesses')
    .description('who cosigns the log of the gateway, and up to which checkpoint')
    .option('-g, --gateway <name>', 'gateway of the profile; else SPEAN_GATEWAY')
    .action(async ({ gateway }: { gateway?: string }, own: Command) => {
      interface Answer {
        witnesses: { name: string; url?: string; size?: number; fault?: string }[]
        state: string
        witnessedSize?: number
        waitingSince?: string
      }
      const ask = async (api: ApiClient): Promise<Answer> => {
        const { witnessing } = await api.call<{ witnessing: { cosigning: Answer } }>(
          'GET',
          '/admin/status',
        )
        return witnessing.cosigning
      }
      await show(own, profileOf(own).gateway(gateway), ask, ({ witnesses, ...state }) => {
        printRecord(state)
        printTable(
          ['WITNESS', 'COSIGNED', 'URL', 'FAULT'],
          witnesses.map(({ name, size, url, fault }) => [name, size, url, fault]),
        )
      })
    })
}
