import { METHODS } from '../protocol/methods.ts'
import type { Endpoint } from '../protocol/snapshot.ts'
import { at, isObject } from './document.ts'
import type { Faults } from './faults.ts'

/** One operation: where it stands, and what calls it. */
export interface PathOperation {
  readonly pointer: string
  readonly template: string
  readonly endpoint: Endpoint
}

/** Members of a Path Item Object that are no operations (OpenAPI 3.1.1 "Path Item Object"). */
const NOT_OPERATIONS = ['summary', 'description', 'servers', 'parameters']

/** The operations of a Paths Object. */
export function readPaths(
  paths: Readonly<Record<string, unknown>>,
  faults: Faults,
): PathOperation[] {
  return Object.entries(paths)
    .filter(([template]) => !template.startsWith('x-'))
    .flatMap(([template, item]) => {
      const pointer = at('/paths', template)
      const path = patternOf(template, (text) => faults.add(pointer, text))
      return path === undefined ? [] : operationsOf(pointer, template, path, item, faults)
    })
}

function operationsOf(
  pointer: string,
  template: string,
  path: string,
  item: unknown,
  faults: Faults,
): PathOperation[] {
  if (!isObject(item)) {
    faults.add(pointer, 'write an object of operations: get, post, …')
    return []
  }
  if ('$ref' in item) {
    faults.add(pointer, 'write the operations here instead of $ref; bundle the description first')
    return []
  }
  const operations: PathOperation[] = []
  for (const key of Object.keys(item)) {
    if (NOT_OPERATIONS.includes(key) || key.startsWith('x-')) continue
    const method = METHODS.find((known) => known.toLowerCase() === key)
    if (method) operations.push({ pointer: at(pointer, key), template, endpoint: { method, path } })
    else {
      const known = METHODS.map((name) => name.toLowerCase()).join(', ')
      faults.add(at(pointer, key), `is no operation; known are ${known}`)
    }
  }
  return operations
}

/** The pattern that grants are compared with: decoded segments, `*` for one with a parameter. */
function patternOf(path: string, refuse: (text: string) => void): string | undefined {
  const fault = faultOf(path)
  if (fault === undefined) return path.split('/').map(segmentPattern).join('/')
  refuse(fault)
  return undefined
}

const segmentPattern = (segment: string): string =>
  segment.includes('{') ? '*' : decodeURIComponent(segment)

function faultOf(path: string): string | undefined {
  if (!path.startsWith('/')) return 'begin the path with /'
  if (/[?#]/.test(path)) return 'leave out the query; it belongs in parameters'
  // It would come to stand for any segment, and two of them for any number (protocol/README.md §3.5)
  if (path.includes('*')) return 'write a {parameter} in place of *'
  const names = [...path.matchAll(/\{([^{}/]+)\}/g)].map(([, name]) => name)
  if (new Set(names).size < names.length) return 'a parameter stands in it twice'
  for (const segment of path.split('/')) {
    const rest = segment.replaceAll(/\{[^{}]+\}/g, '')
    if (/[{}]/.test(rest)) return 'a brace has no partner'
    if (/\}\{/.test(segment)) return 'two parameters touch: nobody can tell where one ends'
    const decoded = decoded8(rest)
    if (decoded === undefined) return 'a % does not begin a percent-encoded UTF-8 character'
    if (/[/*]/.test(decoded)) return 'leave out %2F and %2A'
  }
  return undefined
}

function decoded8(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
