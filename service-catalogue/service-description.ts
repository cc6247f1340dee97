import { createHash } from 'node:crypto'
import { METHODS } from '../protocol/methods.ts'
import type { Endpoint } from '../protocol/snapshot.ts'
import { invalid } from './input.ts'

/** An OpenAPI document as it is served, and what it offers. */
export interface ServiceDescription {
  readonly bytes: Buffer
  /** SHA-256 of the bytes, base64url. */
  readonly digest: string
  readonly endpoints: Endpoint[]
}

type JsonObject = Readonly<Record<string, unknown>>

/** Members of a Path Item Object that are no operations (OpenAPI 3.1.1 §4.8.9.1). */
const NOT_OPERATIONS = ['summary', 'description', 'servers', 'parameters']

/**
 * Reads an OpenAPI 3.0 or 3.1 document as far as the exchange needs it.
 *
 * @throws ExchangeError `admin.invalid` naming the place and what to write there.
 */
export function readDescription(document: JsonObject): ServiceDescription {
  const { openapi, info, paths } = document
  if (typeof openapi !== 'string' || !/^3\.[01]\.\d+(-.+)?$/.test(openapi)) {
    throw invalid('description/openapi', 'write the version as a string, 3.0.x or 3.1.x')
  }
  if (!isObject(info) || typeof info.title !== 'string' || info.title.trim() === '') {
    throw invalid('description/info/title', 'give the description a title')
  }
  if (!isObject(paths) || Object.keys(paths).length === 0) {
    throw invalid('description/paths', 'describe at least one path; the others cannot be called')
  }
  const endpoints = Object.entries(paths)
    .filter(([path]) => !path.startsWith('x-'))
    .flatMap(([path, item]) => endpointsOf(path, item))
  const bytes = toBytes(document)
  return {
    bytes,
    digest: createHash('sha256').update(bytes).digest('base64url'),
    endpoints: distinct(endpoints),
  }
}

function endpointsOf(path: string, item: unknown): Endpoint[] {
  const field = `description/paths/${path.replaceAll('~', '~0').replaceAll('/', '~1')}`
  const pattern = patternOf(field, path)
  if (!isObject(item)) throw invalid(field, 'write an object of operations: get, post, …')
  if ('$ref' in item) {
    throw invalid(field, 'write the operations here instead of $ref; bundle the description first')
  }
  return Object.keys(item)
    .filter((key) => !NOT_OPERATIONS.includes(key) && !key.startsWith('x-'))
    .map((key) => {
      const method = METHODS.find((known) => known.toLowerCase() === key)
      if (method) return { method, path: pattern }
      const known = METHODS.map((name) => name.toLowerCase()).join(', ')
      throw invalid(`${field}/${key}`, `is no operation; known are ${known}`)
    })
}

/** The pattern that calls are compared with: decoded segments, `*` for one with a parameter. */
function patternOf(field: string, path: string): string {
  if (!path.startsWith('/')) throw invalid(field, 'begin the path with /')
  if (/[?#]/.test(path)) throw invalid(field, 'leave out the query; it belongs in parameters')
  // It would come to stand for any segment, and two of them for any number (protocol/README.md §3.5)
  if (path.includes('*')) throw invalid(field, 'write a {parameter} in place of *')
  return path
    .split('/')
    .map((segment) => {
      if (/\{[^{}]+\}/.test(segment)) return '*'
      if (/[{}]/.test(segment)) throw invalid(field, 'a brace has no partner')
      return decodeSegment(field, segment)
    })
    .join('/')
}

function decodeSegment(field: string, segment: string): string {
  let decoded: string
  try {
    decoded = decodeURIComponent(segment)
  } catch {
    throw invalid(field, 'a % does not begin a percent-encoded UTF-8 character')
  }
  if (/[/*]/.test(decoded)) throw invalid(field, 'leave out %2F and %2A')
  return decoded
}

function distinct(endpoints: readonly Endpoint[]): Endpoint[] {
  const byText = new Map(endpoints.map((e) => [`${e.path} ${e.method}`, e]))
  return [...byText.keys()].sort().map((text) => byText.get(text)!)
}

function toBytes(document: JsonObject): Buffer {
  try {
    return Buffer.from(JSON.stringify(document))
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw invalid('description', 'it is nested too deeply', error)
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
