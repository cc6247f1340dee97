import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { docComments } from './doc-comments.ts'
import { table } from './table.ts'

interface Program {
  readonly title: string
  readonly about: string
  readonly file: string
  /** Where interfaces are that members of its configuration are of. */
  readonly also?: string
  readonly interface: string
  readonly schema: string
}

const PROGRAMS: readonly Program[] = [
  {
    title: 'Gateway',
    about: '`node gateway/main.ts gateway.json`',
    file: 'gateway/config.ts',
    also: 'exchange-log/config.ts',
    interface: 'GatewayConfig',
    schema: 'gatewayConfigSchema',
  },
  {
    title: 'Service catalogue',
    about: '`node service-catalogue/main.ts catalogue.json`',
    file: 'service-catalogue/config.ts',
    interface: 'CatalogueConfig',
    schema: 'catalogueConfigSchema',
  },
  {
    title: 'Authority',
    about: '`node pki/authority/main.ts authority.json`',
    file: 'pki/authority/config.ts',
    interface: 'AuthorityConfig',
    schema: 'authorityConfigSchema',
  },
  {
    title: 'CSV adapter',
    about: '`node adapters/csv/main.ts csv-adapter.json`, or `spean adapter csv` without a file',
    file: 'adapters/csv/config.ts',
    interface: 'CsvAdapterConfig',
    schema: 'csvAdapterConfigSchema',
  },
]

const INTRODUCTION = `# Configuration

One JSON file for each program. A key that is not listed here is refused, and all faults are told at once. Paths are
relative to the configuration file. Keys and tokens are files of their own, readable by their owner only.

The level of the log is set by the environment: \`LOG_LEVEL=debug\` (\`info\` by default; \`warn\`, \`error\`, \`silent\`).
`

interface Schema {
  readonly type: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly default?: unknown
  readonly enum?: readonly string[]
  readonly pattern?: string
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly maximum?: number
  readonly minItems?: number
}

/** docs/configuration.md, from the schemas of the programs and the doc comments of their interfaces. */
export async function configurationPage(root: string): Promise<string> {
  const sections = PROGRAMS.map(async (program) => {
    const path = join(root, program.file)
    // By path: the schema and the comments beside it are two readings of one file.
    const exported = (await import(path)) as Record<string, Schema>
    const files = [program.file, program.also].filter((file) => file !== undefined)
    const source = files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n')
    const comments = docComments(source, program.interface)
    const rows = rowsOf(exported[program.schema]!, comments, '')
    const headings = ['Key', 'Type', 'Default', 'Limits', 'Meaning']
    return `## ${program.title}\n\n${program.about}\n\n${table(headings, rows)}`
  })
  return [INTRODUCTION, ...(await Promise.all(sections))].join('\n')
}

function rowsOf(schema: Schema, comments: Map<string, string>, prefix: string): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    const path = `${prefix}${name}`
    const required = schema.required?.includes(name) ?? false
    const meaning = comments.get(path.replaceAll('[]', '')) ?? ''
    const row = [`\`${path}\``, typeOf(member), defaultOf(name, member, required), limitsOf(member)]
    const inner =
      member.type === 'array' && member.items?.properties
        ? rowsOf(member.items, comments, `${path}[].`)
        : rowsOf(member, comments, `${path}.`)
    return [[...row, meaning], ...inner]
  })
}

function typeOf({ type, items }: Schema): string {
  return type === 'array' && items ? `list of ${items.type}s` : type
}

function defaultOf(name: string, schema: Schema, required: boolean): string {
  if (required) return '**required**'
  if (schema.properties) return '' // its members have their own
  if (schema.default === undefined) return 'none'
  const text = `\`${JSON.stringify(schema.default)}\``
  return name.endsWith('Bytes') ? `${text} (${inUnits(Number(schema.default))})` : text
}

function inUnits(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  return `${bytes / 1024 ** power} ${units[power]}`
}

function limitsOf(schema: Schema): string {
  const { minimum, exclusiveMinimum, maximum, minItems, pattern } = schema
  return [
    ...(schema.enum ? [schema.enum.map((value) => `\`${value}\``).join(', ')] : []),
    ...(minimum === undefined ? [] : [`from ${minimum}`]),
    ...(exclusiveMinimum === undefined ? [] : [`above ${exclusiveMinimum}`]),
    ...(maximum === undefined ? [] : [`to ${maximum}`]),
    ...(minItems === undefined ? [] : [`at least ${minItems}`]),
    ...(pattern === undefined ? [] : [`\`${pattern}\``]),
  ].join(' ')
}
