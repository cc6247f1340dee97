/** Keywords that ajv would do by code that trusts the objects of a message, and the formats that are looked at. */
import type { FormatDefinition, KeywordDefinition } from 'ajv'
import { fullFormats } from 'ajv-formats/dist/formats.js'

/** The same text for the same JSON value, whatever the order of members (JSON Schema 2020-12 §4.2.2). */
function identity(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined'
  if (Array.isArray(value)) return `[${value.map(identity).join(',')}]`
  const members = value as Record<string, unknown>
  const names = Object.keys(members).toSorted()
  return `{${names.map((name) => `${JSON.stringify(name)}:${identity(members[name])}`).join(',')}}`
}

const refuseAll = (): boolean => false

export const KEYWORDS: readonly KeywordDefinition[] = [
  {
    keyword: 'enum',
    schemaType: 'array',
    errors: false,
    compile: (values: unknown[]) => {
      const allowed = new Set(values.map(identity))
      return (value: unknown) => allowed.has(identity(value))
    },
  },
  {
    keyword: 'const',
    errors: false,
    compile: (expected: unknown) => {
      const only = identity(expected)
      return (value: unknown) => identity(value) === only
    },
  },
  {
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    errors: false,
    // Linear: comparing each with each would let a list of a megabyte stop the gateway.
    compile: (unique: boolean) => (items: unknown[]) =>
      !unique || new Set(items.map(identity)).size === items.length,
  },
  // ajv looks the name up in an object that inherits: `constructor` would pass.
  { keyword: 'spean-readOnly', errors: false, compile: () => refuseAll },
  { keyword: 'spean-writeOnly', errors: false, compile: () => refuseAll },
]
export const REPLACED = ['enum', 'const', 'uniqueItems']

/** Longest texts that a format's expression is tried on. */
const FORMAT_LENGTHS: Record<string, number> = {
  date: 32,
  time: 64,
  'date-time': 64,
  duration: 128,
  email: 320,
  hostname: 255,
  ipv4: 15,
  ipv6: 45,
  uri: 4096,
  'uri-reference': 4096,
  uuid: 45,
  'json-pointer': 4096,
}
const NUMBER_FORMATS = ['int32', 'int64', 'float', 'double'] as const

/** The formats that are compared; others are notes for people (JSON Schema Validation §7.2.3). */
export function formats(): Record<string, FormatDefinition<string> | FormatDefinition<number>> {
  const limited = Object.entries(FORMAT_LENGTHS).map(([name, maxLength]) => {
    const format = fullFormats[name as keyof typeof fullFormats]
    const test = testerOf(format)
    const validate = (text: string): boolean => text.length <= maxLength && test(text)
    return [name, { type: 'string', validate }] as const
  })
  const numbers = NUMBER_FORMATS.map((name) => {
    const test = testerOf(fullFormats[name])
    return [name, { type: 'number', validate: (value: number) => test(value) }] as const
  })
  const byte = { type: 'string', validate: isBase64 } as const
  return { ...Object.fromEntries(limited), ...Object.fromEntries(numbers), byte }
}

function testerOf(format: unknown): (value: string | number) => boolean {
  if (format instanceof RegExp) return (value) => format.test(String(value))
  if (typeof format === 'function') return format as (value: string | number) => boolean
  return testerOf((format as { validate: unknown }).validate)
}

/** RFC 4648 §4, without an expression that could run long. */
function isBase64(text: string): boolean {
  if (text.length % 4 !== 0) return false
  const end = text.endsWith('==') ? -2 : text.endsWith('=') ? -1 : text.length
  return !/[^A-Za-z0-9+/]/.test(text.slice(0, end))
}
