/** What a program says of its API, and whether its answers are like that. */
import { readFileSync } from 'node:fs'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { ExchangeError } from '../../protocol/errors.ts'
import type { ApiClient } from '../../runtime/api-client.ts'
import type { Access } from '../../runtime/roles.ts'

export interface Operation {
  readonly method: string
  /** With parameters in braces. */
  readonly path: string
  readonly role: Access
  /** Roles of each kind of credential that may call it. */
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
  readonly responses: Readonly<Record<string, Response>>
  /** JSON pointer of the schema of its body. */
  readonly body: string | undefined
  readonly isBodyRequired: boolean
}
interface Response {
  readonly $ref?: string
  readonly 'x-codes'?: readonly string[]
  readonly content?: Readonly<Record<string, { readonly schema: object }>>
}
interface RawOperation {
  readonly 'x-role': Access
  readonly security: Operation['security']
  readonly responses: Operation['responses']
  readonly requestBody?: { readonly required: boolean; readonly content: object }
}
export interface Description {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, RawOperation>>>>
  readonly components: {
    readonly schemas: object
    readonly responses: Readonly<Record<string, Response>>
  }
}

/** What somebody answered, of any client. */
export interface Given {
  readonly status: number
  readonly mediaType: string
  readonly body: unknown
}

const PROBLEM = 'application/problem+json'
const ROOT = `${import.meta.dirname}/../../docs/api`

/** As it is committed: what a program serves is held against it. */
export function committedDescription(name: string): Description {
  return JSON.parse(readFileSync(`${ROOT}/${name}.json`, 'utf8')) as Description
}

export const pointerTo = (...parts: readonly string[]): string =>
  parts.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

export function operationsOf({ paths }: Description): Operation[] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { requestBody, responses, security, ...more }]) => ({
      method: method.toUpperCase(),
      path,
      role: more['x-role'],
      security,
      responses,
      isBodyRequired: requestBody?.required ?? false,
      body:
        requestBody && 'application/json' in requestBody.content
          ? pointerTo(
              ...['paths', path, method, 'requestBody', 'content', 'application/json', 'schema'],
            )
          : undefined,
    })),
  )
}

/** Refusals that come before an operation is found, or after it has failed. */
const OF_NO_OPERATION = ['request.route-unknown', 'request.method-unsupported']

/** @returns what is wrong with an answer by the description; undefined when it is as described. */
export function createAnswerCheck(description: Description) {
  const ajv = new Ajv2020({
    strict: true,
    strictTypes: false,
    strictRequired: false,
    formats: { 'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/ },
    keywords: ['openapi', 'info', 'paths', 'components'],
  })
  ajv.addSchema(description, 'api')
  const validators = new Map<string, ValidateFunction>()
  const validatorOf = (pointer: string): ValidateFunction => {
    const known = validators.get(pointer)
    if (known) return known
    const made = ajv.getSchema(`api#${pointer.split('/').map(encodeURIComponent).join('/')}`)!
    validators.set(pointer, made)
    return made
  }
  const operations = operationsOf(description).map((operation) => ({
    operation,
    pattern: new RegExp(`^${operation.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  }))
  return (method: string, target: string, { status, mediaType, body }: Given) => {
    const [path = ''] = target.split('?')
    const { code } = (body ?? {}) as { code?: string }
    if (OF_NO_OPERATION.includes(code ?? '')) return undefined
    const wanted = method === 'HEAD' ? 'GET' : method
    const found = operations.find((o) => o.operation.method === wanted && o.pattern.test(path))
    if (found === undefined) return `${method} ${path} is not described`
    const { operation } = found
    const where = `${operation.method} ${operation.path}: ${status}`
    const given = operation.responses[status]
    if (given === undefined) return `${where} ${code ?? ''} is not described`
    const name = given.$ref?.split('/').at(-1)
    const response = name === undefined ? given : description.components.responses[name]!
    if (response['x-codes'] && mediaType === PROBLEM) {
      return response['x-codes'].includes(code ?? '')
        ? undefined
        : `${where} ${code} is not described`
    }
    if (status === 304 || method === 'HEAD') return undefined
    const types = Object.keys(response.content ?? {})
    if (types.length === 0 && body === undefined) return undefined
    if (!types.includes(mediaType)) return `${where} is ${mediaType}, not ${types.join(', ')}`
    if (!/^application\/([a-z]+\+)?json$/.test(mediaType)) return undefined
    const validate = validatorOf(
      pointerTo(
        ...['paths', operation.path, operation.method.toLowerCase(), 'responses'],
        ...[String(status), 'content', mediaType, 'schema'],
      ),
    )
    return validate(body) ? undefined : `${where}: ${ajv.errorsText(validate.errors)}`
  }
}

/** A client that fails a test when an answer, or the code of a refusal, is not as it is described. */
export function describedClient(client: ApiClient, description: Description): ApiClient {
  const faultOf = createAnswerCheck(description)
  const verify = (fault: string | undefined): void => {
    if (fault !== undefined) throw new TypeError(`docs/api: ${fault}`)
  }
  return {
    download: (path) => client.download(path),
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
    call: async <T>(method: Parameters<ApiClient['call']>[0], path: string, sent?: unknown) => {
      const answer = await client.call<T>(method, path, sent).catch((error: unknown) => {
        if (error instanceof ExchangeError) {
          const { code, status } = error
          verify(faultOf(method, path, { status, mediaType: PROBLEM, body: { code } }))
        }
        throw error
      })
      const mediaType = answer === undefined ? '' : 'application/json'
      const faults = [200, 201, 202, 204].map((status) =>
        faultOf(method, path, { status, mediaType, body: answer }),
      )
      if (!faults.includes(undefined)) verify(faults.join('; '))
      return answer
    },
  }
}
