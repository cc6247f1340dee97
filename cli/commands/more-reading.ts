/** Commands for single things that other commands list, and for what is taken away again. */
import { text as readAll } from 'node:stream/consumers'
import type { Command } from 'commander'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { fullId, localParts, profileOf, show } from '../context.ts'
import { printRecord, printTable } from '../output.ts'

type Row = Record<string, unknown>

const GATEWAY_OPTION = [
  '-g, --gateway <name>',
  'gateway of the profile; else SPEAN_GATEWAY',
] as const

/** Adds to groups of commands that are there already, and makes `spean group`. */
export function addMoreCommands(program: Command): void {
  const group = (name: string): Command => {
    const found = program.commands.find((command) => command.name() === name)
    if (found === undefined) throw new ConfigError(`there is no group ${name} of commands`)
    return found
  }
  addNamedShow(group('authority'), '/admin/authorities', 'an approved authority')
  addNamedShow(group('timestamper'), '/admin/time-stamping-authorities', 'an authority')
  addNamedShow(group('witness'), '/admin/witnesses', 'a witness')
  addOwner(group('member'), { plural: 'members', id: 'CLASS/MEMBER', parts: 2 })
  addOwner(group('gateway'), { plural: 'gateways', id: 'CLASS/MEMBER/GATEWAY', parts: 3 })
  addRemoveWitnessKey(group('gateway'))
  addWitnessStatus(group('witness'))
  addMetrics(group('gateway'))
  addCatalogueReading(group('catalogue'))
  addListedLists(group('ca'))
  addGroupCommands(program)
}

function addNamedShow(command: Command, path: string, what: string): void {
  command
    .command('show <name>')
    .description(`${what}, with all that the catalogue keeps of it`)
    .action(async (name: string, _options: object, own: Command) => {
      const ask = (api: ApiClient) => api.call<Row>('GET', apiPath(path, name))
      await show(own, profileOf(own).catalogue(), ask, printRecord)
    })
}

interface Owner {
  readonly plural: string
  readonly id: string
  readonly parts: number
}

function pathOf(own: Command, { plural, id: form, parts: count }: Owner, id: string): string {
  const parts = localParts(id, profileOf(own).instance, count)
  if (parts.length !== count) throw new ConfigError(`${id}: write ${form}`)
  return apiPath(`/admin/${plural}`, ...parts)
}

function addOwner(command: Command, owner: Owner): void {
  command
    .command('show <id>')
    .description(`${owner.id}, with its certificates`)
    .action(async (id: string, _options: object, own: Command) => {
      const ask = (api: ApiClient) =>
        api.call<Row & { certificates: Row[] }>('GET', pathOf(own, owner, id))
      await show(own, profileOf(own).catalogue(), ask, ({ certificates, ...rest }) => {
        printRecord(rest)
        printTable(
          ['THUMBPRINT', 'SUBJECT', 'UNTIL'],
          certificates.map((each) => [each.thumbprint, each.subject, each.notAfter]),
        )
      })
    })
  command
    .command('remove-certificate <id> <thumbprint>')
    .description(`takes a certificate of ${owner.id} away`)
    .action(async (id: string, thumbprint: string, _options: object, own: Command) => {
      const path = apiPath(`${pathOf(own, owner, id)}/certificates`, thumbprint)
      const ask = (api: ApiClient) => api.call('DELETE', path)
      await show(own, profileOf(own).catalogue(), ask, () => console.log(`removed ${thumbprint}`))
    })
}

function addRemoveWitnessKey(gateway: Command): void {
  const owner = { plural: 'gateways', id: 'CLASS/MEMBER/GATEWAY', parts: 3 }
  gateway
    .command('remove-witness-key <id>')
    .description('CLASS/MEMBER/GATEWAY is no witness any more')
    .action(async (id: string, _options: object, own: Command) => {
      const ask = (api: ApiClient) => api.call('DELETE', `${pathOf(own, owner, id)}/witness`)
      await show(own, profileOf(own).catalogue(), ask, () => console.log(`removed ${id}`))
    })
}

function addWitnessStatus(witness: Command): void {
  witness
    .command('status')
    .description('what the catalogue, or a gateway, knows of the logs that it watches')
    .option('-g, --gateway <name>', 'of this gateway of the profile')
    .action(async ({ gateway }: { gateway?: string }, own: Command) => {
      const profile = profileOf(own)
      const api = gateway === undefined ? profile.catalogue() : profile.gateway(gateway)
      await show(own, api, (asked) => asked.call<Row>('GET', '/admin/witness'), printRecord)
    })
}

function addMetrics(gateway: Command): void {
  gateway
    .command('metrics')
    .description('what a gateway measures, in the text format of Prometheus')
    .option(...GATEWAY_OPTION)
    .action(async ({ gateway: name }: { gateway?: string }, own: Command) => {
      await using api = profileOf(own).gateway(name)
      process.stdout.write(await readAll(await api.download('/metrics')))
    })
}

function addCatalogueReading(catalogue: Command): void {
  catalogue
    .command('show-request <id>')
    .description('one request: what is asked for, and what became of it')
    .action(async (id: string, _options: object, own: Command) => {
      const ask = (api: ApiClient) => api.call<Row>('GET', apiPath('/admin/requests', id))
      await show(own, profileOf(own).catalogue(), ask, printRecord)
    })
  catalogue
    .command('events')
    .description('what was changed in the catalogue, by whom, and in which snapshot it is')
    .option('--after <position>', 'where the page before ended: its next', '0')
    .action(async ({ after }: { after: string }, own: Command) => {
      const path = `/admin/events?${new URLSearchParams({ after }).toString()}`
      const ask = (api: ApiClient) => api.call<{ events: Row[] }>('GET', path)
      await show(own, profileOf(own).catalogue(), ask, ({ events }) =>
        printTable(
          ['POSITION', 'AT', 'ACTOR', 'ACTION', 'SUBJECT', 'SNAPSHOT'],
          events.map((e) => [e.position, e.at, e.actor, e.action, e.subject, e.snapshotNumber]),
        ),
      )
    })
}

function addListedLists(ca: Command): void {
  ca.command('crls')
    .description('the revocation lists of both issuing authorities, as they are now')
    .action(async (_options: object, own: Command) => {
      const ask = (api: ApiClient) =>
        api.call<{ revocationLists: Row[] }>('GET', '/admin/revocation-lists')
      await show(own, profileOf(own).authority(), ask, ({ revocationLists }) =>
        printTable(
          ['AUTHORITY', 'NUMBER', 'ISSUED', 'UNTIL'],
          revocationLists.map((l) => [l.issuer, l.number, l.thisUpdate, l.nextUpdate]),
        ),
      )
    })
}

function addGroupCommands(program: Command): void {
  const path = '/admin/groups'
  const group = program
    .command('group')
    .description('groups of clients, which grants and contracts may name as group:CODE')
  group
    .command('list')
    .description('lists groups of clients')
    .action(async (_options: object, own: Command) => {
      const ask = (api: ApiClient) => api.call<{ groups: Row[] }>('GET', path)
      await show(own, profileOf(own).catalogue(), ask, ({ groups }) =>
        printTable(
          ['CODE', 'TITLE', 'MEMBERS'],
          groups.map(({ code, title, members }) => [code, title, members]),
        ),
      )
    })
  group
    .command('add <code> <title>')
    .description('makes a group, or changes it: its members are those that are named')
    .option('--member <id...>', 'CLASS/MEMBER or CLASS/MEMBER/SUBSYSTEM', [])
    .action(async (code: string, title: string, { member }: { member: string[] }, own: Command) => {
      const { instance } = profileOf(own)
      const body = { title, members: member.map((id) => fullId(id, instance)) }
      const ask = (api: ApiClient) => api.call<Row>('PUT', apiPath(path, code), body)
      await show(own, profileOf(own).catalogue(), ask, printRecord)
    })
  group
    .command('remove <code>')
    .description('removes a group; grants for it let nobody in any more')
    .action(async (code: string, _options: object, own: Command) => {
      const ask = (api: ApiClient) => api.call('DELETE', apiPath(path, code))
      await show(own, profileOf(own).catalogue(), ask, () => console.log(`removed ${code}`))
    })
}
