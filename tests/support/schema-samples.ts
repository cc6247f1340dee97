/** Makes values that conform to a schema, and for each keyword in it one that does not. */
import fc from 'fast-check'
import { at, followObject, isObject, type JsonObject } from '../../openapi/document.ts'

type Direction = 'request' | 'answer'
export interface Sample {
  readonly value: unknown
  readonly mutations: readonly Mutation[]
}
export interface Mutation {
  readonly keyword: string
  /** JSON pointer of the place that must be named. */
  readonly place: string
  readonly value: unknown
}

const FORMATS: Record<string, string> = {
  date: '2026-03-01',
  'date-time': '2026-03-01T12:00:00Z',
  uuid: '01a206cc-083d-72a8-8932-a6c940c296d0',
  email: 'a@example.org',
  uri: 'https://example.org/',
  url: 'https://example.org/',
  ipv4: '127.0.0.1',
  hostname: 'example.org',
}

export function sampleOf(document: unknown, pointer: string, direction: Direction): Sample {
  const breaches: { keyword: string; place: string; tokens: string[]; change: Change }[] = []
  const make = (place: string, tokens: string[], isSure: boolean, depth: number): unknown => {
    const { pointer: here, value: schema } = followObject(document, place)
    const note = (keyword: string, change: Change, extra: string[] = []): void => {
      if (!isSure || !Object.hasOwn(schema, keyword)) return
      breaches.push({ keyword, place: at('', ...tokens, ...extra), tokens, change })
    }
    for (const choice of ['oneOf', 'anyOf']) {
      if (Array.isArray(schema[choice])) return make(at(here, choice, '0'), tokens, false, depth)
    }
    if (Array.isArray(schema.allOf)) {
      const parts = schema.allOf.map((_, i) =>
        make(at(here, 'allOf', String(i)), tokens, false, depth),
      )
      const own = isObject(schema.properties) ? object(here, schema, tokens, false, depth) : {}
      return parts.every(isObject) ? Object.assign({}, ...parts, own) : parts[0]
    }
    const type = Array.isArray(schema.type) ? schema.type[0] : schema.type
    note('type', () => (type === 'object' ? 7 : { wrong: 1 }))
    note('enum', () => 'none of these')
    if (Array.isArray(schema.enum)) return schema.enum[0]
    if (Object.hasOwn(schema, 'const')) return schema.const
    if (type === 'object' || isObject(schema.properties)) {
      if (Array.isArray(schema.required)) {
        const name = schema.required.find((one) => isShown(here, one as string))
        if (name !== undefined) note('required', without(name as string), [name as string])
      }
      if (schema.additionalProperties === false) {
        note('additionalProperties', (old) => ({ ...(old as object), zzz: 1 }), ['zzz'])
      }
      return object(here, schema, tokens, isSure, depth)
    }
    if (type === 'array') {
      note('maxItems', (old) => Array(Number(schema.maxItems) + 1).fill((old as unknown[])[0] ?? 1))
      note('minItems', () => [])
      const count = Math.max(Number(schema.minItems ?? 0), depth < 6 ? 1 : 0)
      const item = (): unknown => make(at(here, 'items'), [...tokens, '0'], isSure, depth + 1)
      return count === 0 ? [] : [item()]
    }
    return scalar(type, schema, note)
  }
  const isShown = (here: string, name: string): boolean => {
    const { value } = followObject(document, at(here, 'properties', name))
    return value[direction === 'request' ? 'readOnly' : 'writeOnly'] !== true
  }
  const object = (
    here: string,
    schema: JsonObject,
    tokens: string[],
    isSure: boolean,
    depth: number,
  ): object => {
    const all = Object.keys(isObject(schema.properties) ? schema.properties : {})
    const required = Array.isArray(schema.required) ? schema.required : []
    const names = all.filter((one) => isShown(here, one) && (depth < 4 || required.includes(one)))
    const member = (name: string): [string, unknown] => [
      name,
      make(at(here, 'properties', name), [...tokens, name], isSure, depth + 1),
    ]
    return Object.fromEntries(names.map(member))
  }
  const value = make(pointer, [], true, 0)
  const mutations = breaches.map(({ keyword, place, tokens, change }) => ({
    keyword,
    place,
    value: changed(value, tokens, change),
  }))
  return { value, mutations }
}

type Change = (old: unknown) => unknown

function scalar(
  type: unknown,
  schema: JsonObject,
  note: (keyword: string, change: Change) => void,
): unknown {
  if (type === 'boolean') return true
  if (type === 'integer' || type === 'number') {
    note('minimum', () => Number(schema.minimum) - 1)
    note('maximum', () => Number(schema.maximum) + 1)
    return Number(schema.minimum ?? schema.maximum ?? 1)
  }
  if (type !== 'string') return 'x'
  note('maxLength', () => 'a'.repeat(Number(schema.maxLength) + 1))
  if (Number(schema.minLength) > 0) note('minLength', () => '')
  if (Object.hasOwn(FORMATS, String(schema.format)) && schema.format !== 'url') {
    note('format', () => 'x')
  }
  if (typeof schema.pattern === 'string') {
    const pattern = new RegExp(schema.pattern, 'u')
    const breach = ['', ' ', '\u0001', '§'].find((text) => !pattern.test(text))
    if (breach !== undefined) note('pattern', () => breach)
    const simple = ['a', '1.0.0', '/', 'https://example.org/'].find((text) => pattern.test(text))
    if (simple !== undefined) return simple
    return fc.sample(fc.stringMatching(pattern), { numRuns: 1, seed: 7 })[0]
  }
  return FORMATS[String(schema.format)] ?? 'a'.repeat(Math.max(1, Number(schema.minLength ?? 1)))
}

const without =
  (name: string): Change =>
  (old) =>
    Object.fromEntries(Object.entries(old as object).filter(([other]) => other !== name))

function changed(value: unknown, [token, ...rest]: readonly string[], change: Change): unknown {
  if (token === undefined) return change(value)
  if (Array.isArray(value))
    return value.map((one, i) =>
      i === Number(token) ? changed(one, rest, change) : (one as unknown),
    )
  const members = value as Record<string, unknown>
  return { ...members, [token]: changed(members[token], rest, change) }
}
