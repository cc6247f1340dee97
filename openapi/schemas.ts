import {
  at,
  follow,
  isObject,
  localPointer,
  lookUp,
  type Dialect,
  type JsonObject,
} from './document.ts'
import type { Faults } from './faults.ts'
import { patternFault } from './patterns.ts'

export type Direction = 'request' | 'answer'
/** A schema of the description as JSON Schema 2020-12, and where it stood. */
export interface Definition {
  readonly name: string
  readonly pointer: string
  schema: unknown
}

/** More than any register needs; each is a function to be compiled. */
export const MAX_SCHEMAS = 20_000

const SAME = [
  ...['type', 'format', 'pattern', 'required', 'enum', 'multipleOf', 'maximum', 'minimum'],
  ...['maxLength', 'minLength', 'maxItems', 'minItems', 'uniqueItems'],
  ...['maxProperties', 'minProperties'],
]
const SAME_31 = [
  ...['const', 'exclusiveMaximum', 'exclusiveMinimum'],
  ...['maxContains', 'minContains', 'dependentRequired'],
]
const SCHEMA = ['items', 'additionalProperties', 'not']
const SCHEMA_31 = [
  ...['contains', 'propertyNames', 'if', 'then', 'else'],
  ...['unevaluatedItems', 'unevaluatedProperties'],
]
const LIST = ['allOf', 'anyOf', 'oneOf']
const MAP = ['properties']
const MAP_31 = ['patternProperties', 'dependentSchemas']
/** They give schemas other names than their place. */
const RENAMING = ['$id', '$anchor', '$dynamicRef', '$dynamicAnchor', '$recursiveRef']
export const JSON_SCHEMA_DIALECTS = [
  'https://json-schema.org/draft/2020-12/schema',
  'https://spec.openapis.org/oas/3.1/dialect/base',
]

/**
 * Schemas of a description, written as JSON Schema 2020-12 for one direction of travel: in requests `readOnly`
 * properties are not there, in answers `writeOnly` ones (OpenAPI 3.1.1 "Fixed Fields" of the Schema Object).
 */
export class SchemaSet {
  readonly definitions: Definition[] = []
  /** Names of members that the description has: no word of a sender. */
  readonly names = new Set<string>()
  readonly #byPlace = new Map<string, Definition>()
  readonly #document: unknown
  readonly #dialect: Dialect
  readonly #faults: Faults

  constructor(document: unknown, dialect: Dialect, faults: Faults) {
    this.#document = document
    this.#dialect = dialect
    this.#faults = faults
  }

  /** The name of the definition for the schema at a pointer; made when it is first asked for. */
  define(pointer: string, direction: Direction): string {
    const place = `${direction} ${pointer}`
    const known = this.#byPlace.get(place)
    if (known) return known.name
    const name = `s${this.definitions.length}`
    // Named before it is written: a schema may refer to itself.
    const definition: Definition = { name, pointer, schema: true }
    this.#byPlace.set(place, definition)
    this.definitions.push(definition)
    if (this.definitions.length > MAX_SCHEMAS) {
      this.#faults.add(pointer, `there are more than ${MAX_SCHEMAS} schemas; split the service`)
      return name
    }
    definition.schema = this.#write(pointer, lookUp(this.#document, pointer), direction)
    return name
  }

  #write(pointer: string, schema: unknown, direction: Direction): unknown {
    if (typeof schema === 'boolean') return schema
    if (!isObject(schema)) {
      this.#faults.add(pointer, 'write a schema: an object')
      return true
    }
    const is30 = this.#dialect === '3.0'
    const written: Record<string, unknown> = Object.create(null) as Record<string, unknown>
    if (typeof schema.$ref === 'string') {
      written.$ref = this.#reference(pointer, schema.$ref, direction)
      if (is30) return written // OpenAPI 3.0.4 "Reference Object": what stands beside it is ignored
    }
    for (const keyword of RENAMING) {
      if (Object.hasOwn(schema, keyword)) {
        this.#faults.add(at(pointer, keyword), 'leave it out, and refer by a JSON pointer: #/…')
      }
    }
    for (const keyword of is30 ? SAME : [...SAME, ...SAME_31]) {
      if (Object.hasOwn(schema, keyword)) written[keyword] = schema[keyword]
    }
    this.#checkPattern(at(pointer, 'pattern'), schema.pattern)
    for (const keyword of is30 ? SCHEMA : [...SCHEMA, ...SCHEMA_31]) {
      if (!Object.hasOwn(schema, keyword)) continue
      written[keyword] = this.#write(at(pointer, keyword), schema[keyword], direction)
    }
    for (const keyword of is30 ? LIST : [...LIST, 'prefixItems']) {
      const list = schema[keyword]
      if (!Array.isArray(list)) continue
      const write = (one: unknown, i: number): unknown =>
        this.#write(at(pointer, keyword, String(i)), one, direction)
      written[keyword] = list.map(write)
    }
    for (const keyword of is30 ? MAP : [...MAP, ...MAP_31]) {
      const map = schema[keyword]
      if (isObject(map)) written[keyword] = this.#writeMap(at(pointer, keyword), map, direction)
    }
    this.#note(schema)
    this.#leaveOut(pointer, schema, written, direction)
    if (is30) writeAs31(schema, written)
    return written
  }

  #writeMap(pointer: string, map: JsonObject, direction: Direction): Record<string, unknown> {
    const written = Object.create(null) as Record<string, unknown>
    for (const [name, schema] of Object.entries(map)) {
      written[name] = this.#write(at(pointer, name), schema, direction)
      if (pointer.endsWith('/patternProperties')) this.#checkPattern(at(pointer, name), name)
    }
    return written
  }

  #note(schema: JsonObject): void {
    if (isObject(schema.properties)) {
      for (const name of Object.keys(schema.properties)) this.names.add(name)
    }
    if (Array.isArray(schema.required)) {
      for (const name of schema.required) if (typeof name === 'string') this.names.add(name)
    }
  }

  /** Properties that do not travel in this direction. They are not required in it either. */
  #leaveOut(
    pointer: string,
    schema: JsonObject,
    written: Record<string, unknown>,
    direction: Direction,
  ): void {
    const flag = direction === 'request' ? 'readOnly' : 'writeOnly'
    if (!isObject(schema.properties)) return
    const names = Object.keys(schema.properties).filter((name) => {
      const property = follow(this.#document, at(pointer, 'properties', name))
      return isObject(property?.value) && property.value[flag] === true
    })
    if (names.length === 0) return
    const properties = written.properties as Record<string, unknown>
    for (const name of names) properties[name] = { [`spean-${flag}`]: true }
    if (Array.isArray(schema.required)) {
      written.required = schema.required.filter((name) => !names.includes(name as string))
    }
  }

  #reference(pointer: string, reference: string, direction: Direction): string {
    const target = localPointer(reference)
    if (target === undefined || lookUp(this.#document, target) === undefined) {
      this.#faults.add(at(pointer, '$ref'), 'there is nothing at this place of the description')
      return '#/$defs/s0'
    }
    return `#/$defs/${this.define(target, direction)}`
  }

  #checkPattern(pointer: string, pattern: unknown): void {
    if (typeof pattern !== 'string') return
    const fault = patternFault(pattern)
    if (fault !== undefined) this.#faults.add(pointer, fault)
  }
}

/** What OpenAPI 3.0 says otherwise than JSON Schema 2020-12. */
function writeAs31(schema: JsonObject, written: Record<string, unknown>): void {
  for (const [exclusive, bound] of [
    ['exclusiveMinimum', 'minimum'],
    ['exclusiveMaximum', 'maximum'],
  ] as const) {
    if (schema[exclusive] !== true || typeof schema[bound] !== 'number') continue
    written[exclusive] = schema[bound]
    delete written[bound]
  }
  // OpenAPI 3.0.4 "Schema Object": it widens `type`, and only a type of the same schema.
  if (schema.nullable === true && typeof schema.type === 'string') {
    written.type = [schema.type, 'null']
  }
}
