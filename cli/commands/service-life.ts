import type { Command } from 'commander'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { fullId, localParts, profileOf, show } from '../context.ts'
import { readDescription } from './description-file.ts'
import { printJson, printLine, printRecord, printTable } from '../output.ts'
import { readText } from '../read-text.ts'

type Row = Record<string, unknown>
interface Difference {
  readonly level: string
  readonly pointer: string
  readonly text: string
}

/** `spean service …`: versions and life of services, what is written of them, and who may find it. */
export function addServiceLifeCommands(service: Command): void {
  service
    .command('show <id>')
    .description('what is in force of a service, what is planned, and what is written of it')
    .action(async (id: string, _options: object, command: Command) => {
      const path = pathOf(command, id)
      const ask = async (api: ApiClient) => ({
        service: await api.call<Row>('GET', path),
        entry: await api.call<Row>('GET', `${path}/entry`),
      })
      await show(command, profileOf(command).catalogue(), ask, (answer) => {
        printService({ ...answer.service, ...answer.entry })
      })
    })
  service
    .command('set <id> [file]')
    .description(
      'titles, descriptions, owner, law, purposes and more of a service, from a JSON file; with an option what is in force of it, its OpenAPI description left as it is',
    )
    .option('--title <text>', 'its name in lists')
    .option('--classification <word>', 'public, internal, personal or sensitive: what its data is')
    .option('--validation <mode>', 'enforce, report or off')
    .action(async (id: string, file: string | undefined, options: Row, command: Command) => {
      const path = pathOf(command, id)
      const changes = Object.keys(options).length > 0
      if (file === undefined && !changes) throw new ConfigError('say what to set; see --help')
      const entry = file === undefined ? undefined : readJson(file)
      const set = async (api: ApiClient): Promise<Row> => ({
        ...(changes ? await putAgain(api, path, options) : {}),
        ...(entry ? await api.call<Row>('PUT', `${path}/entry`, entry) : {}),
      })
      await show(command, profileOf(command).catalogue(), set, printService)
    })
  service
    .command('compare <id> <openapi>')
    .description(
      'what a new description would change, in which version, and from when; changes nothing',
    )
    .action(async (id: string, openapi: string, _options: object, command: Command) => {
      const path = `${pathOf(command, id)}/compare`
      const body = { description: await readDescription(openapi) }
      const compare = (api: ApiClient) => api.call<Row>('POST', path, body)
      await show(command, profileOf(command).catalogue(), compare, ({ differences, ...rest }) => {
        printRecord(rest)
        printDifferences(differences as Difference[])
      })
    })
  addSteps(service)
  addReading(service)
}

/** What a PUT leaves out goes: so that all is in it. */
async function putAgain(api: ApiClient, path: string, options: Row): Promise<Row> {
  const { title, classification, validation, descriptionDigest } = await api.call<Row>('GET', path)
  const description =
    typeof descriptionDigest === 'string'
      ? await api.call<object>('GET', apiPath('/descriptions', descriptionDigest))
      : undefined
  const body = { title, classification, validation, ...options, description }
  return await api.call<Row>('PUT', path, body)
}

function addSteps(service: Command): void {
  service
    .command('publish <id>')
    .description('makes a draft known, or a deprecated service go on')
    .action((id: string, _options: object, command: Command) =>
      ask(command, 'POST', `${pathOf(command, id)}/publish`, {}),
    )
  service
    .command('deprecate <id> <sunset>')
    .description('announces that a service retires at a time (RFC 3339)')
    .option('--successor <id>', 'the service to use instead')
    .option('--reason <text>', 'why consumers have less notice than they should')
    .action((id: string, sunset: string, options: Row, command: Command) => {
      const { successor, reason } = options as { successor?: string; reason?: string }
      const { instance } = profileOf(command)
      const instead = successor === undefined ? {} : { successor: fullId(successor, instance) }
      const body = { sunset, reason, ...instead }
      return ask(command, 'POST', `${pathOf(command, id)}/deprecate`, body)
    })
  service
    .command('retire <id>')
    .description('ends a service now; by itself it ends at its date')
    .option('--reason <text>', 'why it ends before its date')
    .action((id: string, { reason }: { reason?: string }, command: Command) =>
      ask(command, 'POST', `${pathOf(command, id)}/retire`, { reason }),
    )
  service
    .command('withdraw <id>')
    .description('takes a planned change back')
    .action((id: string, _options: object, command: Command) =>
      ask(command, 'POST', `${pathOf(command, id)}/withdraw`, {}),
    )
}

interface SearchOptions {
  readonly language?: string
  readonly member?: string
  readonly class?: string
  readonly purpose?: string
  readonly field?: string
}

function addReading(service: Command): void {
  service
    .command('history <id>')
    .description('everything that happened to a service')
    .action((id: string, _options: object, command: Command) =>
      showEvents(command, `${pathOf(command, id)}/history`),
    )
  service
    .command('events')
    .description('what happened to services: the feed that consumers read')
    .option('--after <position>', 'only what came after it', '0')
    .option('--service <id>', 'of one service')
    .action((options: { after: string; service?: string }, command: Command) => {
      const query = new URLSearchParams({ after: options.after })
      if (options.service !== undefined) {
        query.set('service', fullId(options.service, profileOf(command).instance))
      }
      return showEvents(command, `/events?${query.toString()}`)
    })
  service
    .command('search [words...]')
    .description('finds services by words in English, Khmer or Lao')
    .option('--language <code>', 'en, km or lo: in texts of one language alone')
    .option('--member <id>', 'CLASS/MEMBER that offers them')
    .option('--class <word>', 'public, internal, personal or sensitive')
    .option('--purpose <text>', 'for which they may be asked')
    .option('--field <name>', 'that their messages have')
    .action(async (words: string[], options: SearchOptions, command: Command) => {
      const { member, ...rest } = options
      const query = new URLSearchParams({ ...rest, q: words.join(' '), limit: '100' })
      if (member !== undefined) query.set('member', fullId(member, profileOf(command).instance))
      const search = (api: ApiClient) =>
        api.call<{ services: Row[] }>('GET', `/search?${query.toString()}`)
      await show(command, profileOf(command).catalogue(), search, ({ services }) =>
        printTable(
          ['ID', 'VERSION', 'STATE', 'CLASSIFICATION', 'TITLE'],
          services.map((s) => [s.id, s.version, s.state, s.classification, s.title]),
        ),
      )
    })
  service
    .command('dcat')
    .description('the catalogue by DCAT-AP 3, as JSON-LD')
    .action(async (_options: object, command: Command) => {
      await using api = profileOf(command).catalogue()
      printJson(await api.call('GET', '/dcat'))
    })
}

async function showEvents(command: Command, path: string): Promise<void> {
  const read = (api: ApiClient) => api.call<{ events: Row[] }>('GET', path)
  await show(command, profileOf(command).catalogue(), read, ({ events }) => {
    const told = ({ data }: Row): string => {
      const { level, effectiveAt, sunset, reason } = data as Record<string, string | undefined>
      return [level, effectiveAt ?? sunset, reason].filter((part) => part !== undefined).join(' ')
    }
    printTable(
      ['POSITION', 'AT', 'TYPE', 'SERVICE', 'VERSION', ''],
      events.map((e) => [e.position, e.at, e.type, e.service, e.version, told(e)]),
    )
  })
}

async function ask(
  command: Command,
  method: 'PUT' | 'POST',
  path: string,
  body: object,
): Promise<void> {
  const call = (api: ApiClient) => api.call<Row>(method, path, body)
  await show(command, profileOf(command).catalogue(), call, printService)
}

/** What is in force, and what is planned. */
export function printService({ planned, endpoints: _endpoints, ...rest }: Row): void {
  printRecord(rest)
  if (planned) printPlanned(planned as Row)
}

function printPlanned({ version, effectiveAt, differences }: Row): void {
  printLine(`\nversion ${String(version)} takes effect at ${String(effectiveAt)}`)
  printDifferences(differences as Difference[])
}

function printDifferences(differences: readonly Difference[]): void {
  if (differences.length === 0) return
  printTable(
    ['LEVEL', 'DIFFERENCE', 'WHERE'],
    differences.map(({ level, text, pointer }) => [level, text, pointer || '/']),
  )
}

function pathOf(command: Command, id: string): string {
  const parts = localParts(id, profileOf(command).instance, 4)
  if (parts.length !== 4) throw new ConfigError(`${id}: write CLASS/MEMBER/SUBSYSTEM/SERVICE`)
  return apiPath('/admin/services', ...parts)
}

function readJson(file: string): object {
  try {
    return JSON.parse(readText(file)) as object
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause
    throw new ConfigError(`${file}: is no JSON (${(cause as Error).message})`, { cause })
  }
}
