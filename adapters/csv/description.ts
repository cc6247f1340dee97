import type { ColumnProfile } from './column-profile.ts'
import { MAX_LIMIT, parameterName } from './query.ts'
import type { Table } from './table.ts'

type Json = Record<string, unknown>

const COLLECTION =
  `Rows in the order of the file. Each parameter is compared with a column; all must
hold. A value that ends in \`*\` matches every value that begins with what stands before it; end the
value in \`\\*\` for an asterisk itself. Comparison is exact, after Unicode normalisation (NFC). A
column whose name means something else here is reached as \`column.NAME\`, as any other may be.
The list is called without a trailing slash or with one.`.replaceAll('\n', ' ')

export interface ServiceInfo {
  readonly code: string
  readonly url: string
  /** Whether values of the rows stand in the description, which everybody may read. */
  readonly examples: boolean
}

function withoutExamples(table: Table): Table {
  return { ...table, profiles: table.profiles.map((profile) => ({ ...profile, examples: [] })) }
}

/**
 * OpenAPI 3.1 description of a table. What it says of a column is true of every row of this
 * version of the file; paths are relative to the URL under which a gateway knows the service.
 */
export function describeTable(whole: Table, service: ServiceInfo): Json {
  const table = service.examples ? whole : withoutExamples(whole)
  const key = table.columns[table.keyColumn]!
  const template = /^[^{}/?#]+$/.test(key) ? key : 'key'
  return {
    openapi: '3.1.0',
    info: {
      title: service.code,
      version: table.version,
      description: `The rows of a CSV file with the columns ${table.columns.join(', ')}.`,
    },
    servers: [{ url: service.url }],
    paths: {
      [`/{${template}}`]: { get: rowOperation(table, template) },
      '/': { get: listOperation(table) },
    },
    components: {
      schemas: {
        Row: rowSchema(table),
        Problem: PROBLEM_SCHEMA,
      },
      responses: {
        Problem: {
          description: 'The request is refused (RFC 9457); `code` says why.',
          content: {
            'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
          },
        },
      },
    },
  }
}

const PROBLEM = { $ref: '#/components/responses/Problem' }
const PROBLEM_SCHEMA: Json = {
  type: 'object',
  required: ['type', 'title', 'status', 'code'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string' },
  },
}

function rowOperation(table: Table, template: string): Json {
  const { examples } = table.profiles[table.keyColumn]!
  return {
    operationId: 'getRow',
    summary: `One row by ${table.columns[table.keyColumn]}`,
    parameters: [
      {
        name: template,
        in: 'path',
        required: true,
        schema: { type: 'string', minLength: 1, ...(examples.length > 0 && { examples }) },
      },
    ],
    responses: {
      200: answer('The row', { $ref: '#/components/schemas/Row' }),
      400: PROBLEM,
      404: PROBLEM,
    },
  }
}

function listOperation(table: Table): Json {
  const { columns, profiles } = table
  const filters = columns.map((_, column) => ({
    name: parameterName(table, column),
    in: 'query',
    schema: {
      type: 'string',
      ...(profiles[column]!.examples.length > 0 && { examples: profiles[column]!.examples }),
    },
  }))
  const limit = {
    name: 'limit',
    in: 'query',
    description: 'Most rows on a page; one with long values may have fewer.',
    schema: { type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: 100 },
  }
  const cursor = {
    name: 'cursor',
    in: 'query',
    description: '`next` of the page before; valid until the file changes.',
    schema: { type: 'string' },
  }
  return {
    operationId: 'listRows',
    summary: 'Rows by the values of their columns',
    description: COLLECTION,
    parameters: [...filters, limit, cursor],
    responses: {
      200: answer('A page of rows', PAGE_SCHEMA),
      400: PROBLEM,
      410: PROBLEM,
    },
  }
}

const PAGE_SCHEMA: Json = {
  type: 'object',
  required: ['items', 'total'],
  additionalProperties: false,
  properties: {
    items: { type: 'array', items: { $ref: '#/components/schemas/Row' } },
    total: { type: 'integer', minimum: 0, description: 'Rows on all pages.' },
    next: { type: 'string', description: 'Cursor of the next page; absent on the last.' },
  },
}

function answer(description: string, schema: Json): Json {
  return { description, content: { 'application/json': { schema } } }
}

function rowSchema({ columns, profiles, keyColumn }: Table): Json {
  const properties = columns.map((name, column) => {
    const schema = valueSchema(profiles[column]!, column === keyColumn)
    return [name, schema] as const
  })
  return {
    type: 'object',
    required: columns,
    additionalProperties: false,
    // Not by assignment: a column may be called __proto__.
    properties: Object.fromEntries(properties),
  }
}

function valueSchema(profile: ColumnProfile, isKey: boolean): Json {
  const { choices, examples } = profile
  const rule = choices && !isKey ? { enum: choices } : shapeRule(profile)
  const filled = isKey && !('pattern' in rule) ? { minLength: 1 } : {}
  return { type: 'string', ...filled, ...rule, ...(examples.length > 0 && { examples }) }
}

function shapeRule({ shape, width, hasEmpty }: ColumnProfile): Json {
  const pattern = (text: string): Json => ({ pattern: hasEmpty ? `^(${text})?$` : `^${text}$` })
  switch (shape) {
    case 'date':
      return hasEmpty ? { anyOf: [{ format: 'date' }, { maxLength: 0 }] } : { format: 'date' }
    case 'digits':
      return pattern(width === undefined ? '[0-9]+' : `[0-9]{${width}}`)
    case 'decimal':
      return pattern('-?[0-9]+([.][0-9]+)?')
    case 'text':
      return {}
  }
}
