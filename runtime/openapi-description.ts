/** The OpenAPI 3.1 description of an API, made of what its routes say of themselves. */
import { STATUS_CODES } from 'node:http'
import { errorEntry, type ErrorCode } from '../protocol/errors.ts'
import type { Route } from './admin-api.ts'
import { PERMITTED, type Role } from './roles.ts'
import { named, object, text, type Answer, type Schema } from './route-description.ts'

/** A kind of credential: an OpenAPI security scheme, and the roles that it can stand for. */
export interface Credential {
  readonly scheme: object
  /** Of nobody's role: only for public routes whose `proof` it is. */
  readonly roles: readonly Role[]
}
export interface ApiAbout {
  readonly title: string
  readonly description: string
  /** By name of the security scheme. */
  readonly credentials: Readonly<Record<string, Credential>>
}

export const OPENAPI_PATH = '/openapi.json'
/** Of the descriptions; that of the command and of the package. */
const VERSION = '0.1.0'

export const PROBLEM = named('Problem', {
  ...object(
    {
      type: text,
      title: text,
      status: { type: 'integer', minimum: 400, maximum: 599 },
      code: text,
      fault: text,
      origin: {
        type: 'string',
        enum: ['client-gateway', 'provider-gateway', 'service', 'catalogue', 'authority'],
      },
      move: {
        type: 'string',
        enum: ['client', 'provider', 'instance', 'client-gateway', 'provider-gateway'],
        description: 'Who can act on the remedy.',
      },
      remedy: text,
      exchangeId: text,
    },
    { detail: text, step: text, basis: { type: 'object' } },
  ),
  additionalProperties: true,
  description: 'RFC 9457; docs/error-codes.md has the codes.',
})

/** @throws TypeError for two components of one name. */
export function describeApi(about: ApiAbout, routes: readonly Route[]): object {
  const components = new Components()
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    const path = route.path.replaceAll(/[:*](\w+)/g, '{$1}')
    paths[path] = {
      ...paths[path],
      [route.method.toLowerCase()]: operationOf(route, about, components),
    }
  }
  const { title, description, credentials } = about
  return {
    openapi: '3.1.0',
    info: { title, version: VERSION, description, license: { name: 'MIT', identifier: 'MIT' } },
    paths,
    components: {
      securitySchemes: Object.fromEntries(
        Object.entries(credentials).map(([name, { scheme }]) => [name, scheme]),
      ),
      schemas: components.sorted(),
      responses: components.refusals,
    },
  }
}

/** Serves the description of `routes`, its own included, to everybody: it tells nothing of what is behind them. */
export function createDescriptionRoute(about: ApiAbout, routes: readonly Route[]): Route {
  const route: Route = {
    method: 'GET',
    path: OPENAPI_PATH,
    access: 'public',
    about: {
      summary: 'This description',
      answers: { 200: { content: { 'application/json': { type: 'object' } } } },
    },
    handle: () => ({ body }),
  }
  const body = describeApi(about, [...routes, route])
  return route
}

function operationOf(route: Route, { credentials }: ApiAbout, components: Components): object {
  const { about, access, rawBody } = route
  const { summary, details, operationId = idOf(route), query = {}, proof } = about
  const { body, isBodyOptional = false } = about
  const inPath = [...route.path.matchAll(/([:*])(\w+)/g)].map(([, mark, name]) => ({
    name,
    in: 'path',
    required: true,
    ...(mark === '*' ? { description: 'One or more segments.' } : {}),
    schema: { type: 'string', minLength: 1 },
    ...about.path?.[name!],
  }))
  const inQuery = Object.entries(query).map(([name, { schema, ...parameter }]) => ({
    name,
    in: 'query',
    ...parameter,
    schema: components.lift(schema),
  }))
  const parameters = [...inPath, ...inQuery]
  const content = body
    ? { 'application/json': { schema: components.lift(body.schema) } }
    : hasRawBody(route) && { [rawBody === '*' ? '*/*' : rawBody!]: { schema: text } }
  const alternatives = Object.entries(credentials).flatMap(([name, { roles }]) =>
    roles
      .filter((role) => access !== 'public' && PERMITTED[access].includes(role))
      .map((role) => ({ [name]: [role] })),
  )
  return {
    operationId,
    summary,
    ...(details === undefined ? {} : { description: details }),
    'x-role': access,
    security: proof === undefined ? alternatives : [{ [proof]: [] }],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(content ? { requestBody: { required: !isBodyOptional, content } } : {}),
    responses: answersOf(route, components),
  }
}

const takesBody = ({ method }: Route): boolean => method === 'PUT' || method === 'POST'
const hasRawBody = (route: Route): boolean => takesBody(route) && route.rawBody !== undefined

/** `PUT /admin/members/:class/:member` is `putAdminMembersClassMember`. */
function idOf({ method, path }: Route): string {
  const words = path.match(/[A-Za-z0-9]+/g) ?? []
  return method.toLowerCase() + words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('')
}

function answersOf(route: Route, components: Components): object {
  const { answers } = route.about
  const done = Object.entries(answers).map(([status, { content, headers, ...told }]) => {
    const body = content && { content: contentOf(content, components) }
    const description = told.description ?? STATUS_CODES[status] ?? ''
    return [status, { description, ...(headers ? { headers } : {}), ...body }]
  })
  const refused = refusalsOf(route).map(([status, codes]) => {
    // A route that has refusals of its own kind has ours beside them
    const own = answers[status]?.content
    if (own === undefined) return [status, components.refusal(codes)]
    const ours = components.problem(codes)
    return [status, { ...ours, content: { ...ours.content, ...contentOf(own, components) } }]
  })
  return Object.fromEntries([...done, ...refused]) as object
}

function contentOf(content: NonNullable<Answer['content']>, components: Components): object {
  return Object.fromEntries(
    Object.entries(content).map(([type, schema]) => [type, { schema: components.lift(schema) }]),
  )
}

/** Every code that the route can refuse with, by status. */
function refusalsOf(route: Route): [status: number, codes: ErrorCode[]][] {
  const { access, path, about } = route
  const codes = new Set<ErrorCode>(['request.malformed', 'internal'])
  if (access !== 'public') codes.add('admin.unauthenticated').add('admin.not-permitted')
  if (takesBody(route)) codes.add('request.body-too-large')
  if (takesBody(route) && route.rawBody === undefined) codes.add('validation.content-type')
  if (about.body || about.query || (access !== 'public' && /[:*]/.test(path))) {
    codes.add('admin.invalid')
  }
  for (const code of about.refusals ?? []) codes.add(code)
  const statuses = [...new Set([...codes].map((code) => errorEntry(code).status))]
  return statuses.map((status) => [
    status,
    [...codes].filter((code) => errorEntry(code).status === status).toSorted(),
  ])
}

/** Schemas with a title, and refusals, each once; the rest stands where it is used. */
class Components {
  /** By name. */
  readonly refusals: Record<string, object> = {}
  readonly #schemas = new Map<string, { readonly source: string; readonly schema: object }>()

  lift(schema: Schema): object {
    const { title, ...rest } = schema as { title?: string }
    const own = this.#inside(rest)
    if (title === undefined) return own
    const source = JSON.stringify(own)
    const known = this.#schemas.get(title)
    if (known !== undefined && known.source !== source) {
      throw new TypeError(`two components of the description are named ${title}`)
    }
    this.#schemas.set(title, { source, schema: own })
    return { $ref: `#/components/schemas/${title}` }
  }

  /** @param codes of one status. */
  refusal(codes: readonly ErrorCode[]): object {
    const name = codes.join('_')
    this.refusals[name] = this.problem(codes)
    return { $ref: `#/components/responses/${name}` }
  }

  problem(codes: readonly ErrorCode[]) {
    return {
      description: codes.map((code) => `\`${code}\`: ${errorEntry(code).title}`).join('; '),
      'x-codes': codes,
      content: { 'application/problem+json': { schema: this.lift(PROBLEM) } },
    }
  }

  sorted(): object {
    const names = [...this.#schemas.keys()].toSorted()
    return Object.fromEntries(names.map((name) => [name, this.#schemas.get(name)!.schema]))
  }

  /** With what stands in it lifted, and `nullable` in the words of JSON Schema 2020-12. */
  #inside(schema: Readonly<Record<string, unknown>>): object {
    const { nullable, ...keywords } = schema
    const entries = Object.entries(keywords).map(([keyword, value]) => {
      if (keyword === 'properties') {
        const members = Object.entries(value as Readonly<Record<string, Schema>>)
        return [keyword, Object.fromEntries(members.map(([name, one]) => [name, this.lift(one)]))]
      }
      if (Array.isArray(value) && /^(all|any|one)Of$/.test(keyword)) {
        return [keyword, (value as readonly Schema[]).map((one) => this.lift(one))]
      }
      const isSchema = typeof value === 'object' && /^(items|additionalProperties)$/.test(keyword)
      if (isSchema && value !== null) return [keyword, this.lift(value)]
      if (keyword === 'type' && nullable === true) return [keyword, [value, 'null'].flat()]
      return [keyword, value]
    })
    return Object.fromEntries(entries) as object
  }
}
