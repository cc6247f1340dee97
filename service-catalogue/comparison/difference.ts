import { canonicalJson } from '../../protocol/canonical-json.ts'

/** What a change does to a consumer that works with the version before. */
export type ChangeLevel = 'breaking' | 'compatible' | 'editorial'

export interface Difference {
  readonly level: ChangeLevel
  /** Where (RFC 6901): in the new description; of what was taken away, in the old one. */
  readonly pointer: string
  /** One sentence for people. */
  readonly text: string
}

export type JsonObject = Readonly<Record<string, unknown>>

/** Whose side a schema is on: consumers send what is in requests, and read what is in answers. */
export type Direction = 'request' | 'answer'

/** What happens to the set of values that a schema lets pass. */
export type Effect = 'narrower' | 'wider' | 'other'

/** Fewer values are bad for whoever sends them, more for whoever reads them. */
export function levelOf(effect: Effect, direction: Direction): ChangeLevel {
  if (effect === 'other') return 'breaking'
  return (effect === 'narrower') === (direction === 'request') ? 'breaking' : 'compatible'
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : {}
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** One more reference token (RFC 6901 §3). */
export function below(pointer: string, ...tokens: (string | number)[]): string {
  const escaped = tokens.map((token) => String(token).replaceAll('~', '~0').replaceAll('/', '~1'))
  return [pointer, ...escaped].join('/')
}

/** The same text for the same JSON value, whatever the order of members; numbers may be of any kind. */
export function textOf(value: unknown): string {
  return canonicalJson(withoutFractions(value))
}

export function isSame(a: unknown, b: unknown): boolean {
  return textOf(a) === textOf(b)
}

function withoutFractions(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return { number: String(value) }
  if (typeof value === 'string') return value.toWellFormed()
  if (Array.isArray(value)) return value.map(withoutFractions)
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, withoutFractions(v)]))
}

/** Short enough for a sentence. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}
