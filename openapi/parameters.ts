import { at, follow, isObject, type JsonObject } from './document.ts'

type Primitive = 'string' | 'number' | 'integer' | 'boolean' | 'null'
/** What a parameter's text may stand for (OpenAPI 3.1.1 "Parameter Object"). */
export interface Shape {
  /** Types of a value that is no array and no object. */
  readonly types: ReadonlySet<Primitive>
  /** Types of the elements, when it may be an array. */
  readonly items: ReadonlySet<Primitive> | undefined
  /** Types of the members, when it may be an object; the empty name stands for others. */
  readonly members: ReadonlyMap<string, ReadonlySet<Primitive>> | undefined
}
export type Style =
  'simple' | 'label' | 'matrix' | 'form' | 'spaceDelimited' | 'pipeDelimited' | 'deepObject'

const PRIMITIVES: readonly Primitive[] = ['string', 'number', 'integer', 'boolean', 'null']
const ANY: ReadonlySet<Primitive> = new Set(PRIMITIVES)

/** What a schema lets a parameter be, all its branches together. Two levels: styles know no third. */
export function shapeOf(document: unknown, pointer: string): Shape {
  const schemas = branches(document, pointer)
  const types = namedTypes(schemas)
  const lists = schemas.find(({ schema }) => schema.items !== undefined)
  const members = new Map<string, ReadonlySet<Primitive>>()
  for (const { pointer: place, schema } of schemas) {
    if (!isObject(schema.properties)) continue
    for (const name of Object.keys(schema.properties)) {
      members.set(name, primitiveTypes(branches(document, at(place, 'properties', name))))
    }
  }
  const itemTypes = lists ? primitiveTypes(branches(document, at(lists.pointer, 'items'))) : ANY
  return {
    types: primitiveTypes(schemas),
    items: types?.has('array') || lists ? itemTypes : undefined,
    members: types?.has('object') || members.size > 0 ? members : undefined,
  }
}

/** Undefined: none is named, and any will do. */
function namedTypes(schemas: readonly Branch[]): Set<string> | undefined {
  const typed = schemas.filter(({ schema }) => schema.type !== undefined)
  const types = new Set(typed.flatMap(({ schema }) => typesOf(schema)))
  if (typed.some(({ schema }) => schema.nullable === true)) types.add('null')
  return typed.length === 0 ? undefined : types
}

function primitiveTypes(schemas: readonly Branch[]): ReadonlySet<Primitive> {
  const types = namedTypes(schemas)
  return types === undefined ? ANY : new Set(PRIMITIVES.filter((type) => types.has(type)))
}

function typesOf({ type }: JsonObject): string[] {
  return Array.isArray(type) ? (type as string[]) : [String(type)]
}

interface Branch {
  readonly pointer: string
  readonly schema: JsonObject
}

/** The schema, and those that it is put together from. Bounded: a schema may lead back to itself. */
function branches(document: unknown, pointer: string, depth = 0): Branch[] {
  const found = follow(document, pointer)
  if (!found || !isObject(found.value) || depth > 4) return []
  const { pointer: place, value: schema } = found
  const inner = ['allOf', 'anyOf', 'oneOf'].flatMap((keyword) => {
    const list = schema[keyword]
    if (!Array.isArray(list)) return []
    return list.flatMap((_, i) => branches(document, at(place, keyword, String(i)), depth + 1))
  })
  return [{ pointer: place, schema }, ...inner]
}

/** The values that a text may stand for, the narrowest first. */
export function readPrimitive(text: string, types: ReadonlySet<Primitive>): unknown[] {
  const values: unknown[] = []
  const isNumber = text.length <= 40 && /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text)
  if (isNumber && (types.has('number') || types.has('integer')) && isExact(text)) {
    values.push(Number(text))
  }
  if (types.has('boolean') && (text === 'true' || text === 'false')) values.push(text === 'true')
  if (types.has('null') && (text === '' || text === 'null')) values.push(null)
  // A text where none may be: the schema says so.
  if (types.has('string') || values.length === 0) values.push(text)
  return values
}

const isExact = (text: string): boolean =>
  Number.isFinite(Number(text)) && (/[.eE]/.test(text) || Number.isSafeInteger(Number(text)))

const narrowest = (text: string, types: ReadonlySet<Primitive>): unknown =>
  readPrimitive(text, types)[0]

/**
 * The values that the texts of one parameter may stand for.
 *
 * @param texts the elements, or names and values in turn, or the single text: split at the style's
 *   delimiters before they were decoded.
 */
export function readValues(
  shape: Shape,
  { texts, pairs }: { readonly texts: readonly string[]; readonly pairs: boolean },
): unknown[] {
  const values: unknown[] = []
  const { items, members, types } = shape
  if (members) values.push(readMembers(texts, pairs, members))
  if (items) values.push(texts.map((text) => narrowest(text, items)))
  if (texts.length === 1 && types.size > 0) values.push(...readPrimitive(texts[0]!, types))
  if (values.length === 0) values.push(texts.length === 1 ? texts[0] : texts)
  return values
}

function readMembers(
  texts: readonly string[],
  pairs: boolean,
  members: ReadonlyMap<string, ReadonlySet<Primitive>>,
): object {
  const object = Object.create(null) as Record<string, unknown>
  const take = (name: string, text: string): void => {
    object[name] = narrowest(text, members.get(name) ?? ANY)
  }
  if (pairs) {
    for (const text of texts) {
      const equals = text.indexOf('=')
      take(text.slice(0, equals < 0 ? undefined : equals), equals < 0 ? '' : text.slice(equals + 1))
    }
  } else for (let i = 0; i < texts.length; i += 2) take(texts[i]!, texts[i + 1] ?? '')
  return object
}
