/** The OpenAPI 3.1 description of what auditors may ask, made of the routes that are there. */
import type { Route } from '../../runtime/admin-api.ts'
import { AUDIT_PARAMETERS } from './audit-routes.ts'
import { EVIDENCE_PARAMETERS } from './evidence-routes.ts'
import type { Parameters } from './log-query.ts'
import { SCHEMAS } from './openapi-schemas.ts'

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly description: string
  readonly parameters: Parameters
  /** By media type. */
  readonly content: Readonly<Record<string, object>>
  readonly headers?: Readonly<Record<string, object>>
  /** Beside 400, 401, 403, 422 and 503, which every operation has. */
  readonly refusals?: readonly number[]
}

const json = (name: string): Operation['content'] => ({
  'application/json': { schema: { $ref: `#/components/schemas/${name}` } },
})
const RECORDED_HEADER = {
  'x-spean-recorded': {
    description: 'Position and exchange id under which the query stands in the log.',
    schema: { type: 'string' },
  },
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  '/audit/exchanges': {
    operationId: 'searchExchanges',
    summary: 'Search',
    description: 'Exchanges that match all parameters, newest first.',
    parameters: AUDIT_PARAMETERS['/audit/exchanges']!,
    content: json('Exchanges'),
  },
  '/audit/exchanges/:exchangeId': {
    operationId: 'showExchange',
    summary: 'One exchange',
    description:
      'All records with an exchange id, events about it included. An exchange out of scope is not found.',
    parameters: AUDIT_PARAMETERS['/audit/exchanges/:exchangeId']!,
    content: json('Entries'),
    refusals: [404],
  },
  '/audit/export': {
    operationId: 'exportExchanges',
    summary: 'Everything that matches',
    description:
      'Exchanges that began before the export was recorded, newest first, a line each. The end is recorded too; an export that ends without it breaks the connection off.',
    parameters: AUDIT_PARAMETERS['/audit/export']!,
    content: {
      'application/x-ndjson': {
        schema: { type: 'string', description: 'One `Exchange` in each line.' },
      },
      'text/csv': {
        schema: {
          type: 'string',
          description:
            'RFC 4180 in UTF-8 with a byte order mark. A text that a spreadsheet would take for a formula begins with an apostrophe.',
        },
      },
    },
    headers: RECORDED_HEADER,
  },
  '/audit/sample': {
    operationId: 'sampleExchanges',
    summary: 'A sample that can be drawn again',
    description:
      'Those `size` exchanges that match and have the lowest tickets; the ticket is a hash of seed and position (docs/auditing.md).',
    parameters: AUDIT_PARAMETERS['/audit/sample']!,
    content: json('Sample'),
  },
  '/evidence/:exchangeId': {
    operationId: 'getEvidence',
    summary: 'Evidence of one exchange',
    description: 'An archive that proves the exchange without us (docs/evidence.md).',
    parameters: EVIDENCE_PARAMETERS,
    content: { 'application/zip': { schema: { type: 'string', format: 'binary' } } },
    refusals: [404, 409],
  },
}

const isDescribed = ({ path }: Route): boolean => /^\/(audit|evidence)\//.test(path)

/** @throws TypeError for a route below /audit or /evidence that has no description. */
export function describeApi(routes: readonly Route[], version: string): object {
  const paths = routes.filter(isDescribed).map((route) => {
    const operation = Object.hasOwn(OPERATIONS, route.path) ? OPERATIONS[route.path] : undefined
    if (!operation) throw new TypeError(`${route.path} has no description in openapi.ts`)
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}')
    return [path, { [route.method.toLowerCase()]: describe(route, operation) }] as const
  })
  return {
    openapi: '3.1.0',
    info: {
      title: 'Spean: audit of an exchange log',
      version,
      description:
        'For auditors, each limited to members, subsystems or services, and for the administrator. Every query is recorded in the log before it is answered.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    security: [{ token: [] }],
    paths: Object.fromEntries(paths),
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'Of `spean auditor add`.' },
      },
      schemas: SCHEMAS,
    },
  }
}

function describe({ path }: Route, operation: Operation): object {
  const { parameters, content, headers, refusals = [], ...about } = operation
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string', maxLength: 200 },
  }))
  const inQuery = Object.entries(parameters).map(([name, parameter]) => ({
    name,
    in: 'query',
    ...parameter,
  }))
  const refused = [400, 401, 403, 422, 503, ...refusals].map((status) => [
    status,
    {
      description: REFUSALS[status],
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    },
  ])
  return {
    ...about,
    parameters: [...inPath, ...inQuery],
    responses: {
      '200': { description: about.summary, ...(headers ? { headers } : {}), content },
      ...Object.fromEntries(refused),
    },
  }
}

const REFUSALS: Readonly<Record<number, string>> = {
  400: 'The query is not UTF-8 in percent encoding.',
  401: 'No token, or one that is unknown, expired or revoked.',
  403: 'The token is not for that.',
  404: 'No such exchange, or none in scope.',
  409: 'A record of the exchange was altered after it was recorded.',
  422: 'A parameter is unknown, stands twice, is missing or has another form.',
  503: 'The log cannot be read, or takes no record of the query; or something that proves an exchange is not there yet: `detail` names it.',
}
