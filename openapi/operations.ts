import { at, followObject, isObject, type JsonObject } from './document.ts'
import type { Faults } from './faults.ts'
import { isJsonType, parseMediaType } from './media-type.ts'
import { shapeOf, type Shape, type Style } from './parameters.ts'
import type { Direction, SchemaSet } from './schemas.ts'

/** A described value: its schema's name, and what its text may stand for; JSON when it is `content`. */
export interface Described {
  readonly schema: string | undefined
  readonly json: boolean
}
export interface Parameter extends Described {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly style: Style
  readonly explode: boolean
  readonly allowEmptyValue: boolean
  readonly shape: Shape
}
/** By media type in lower case without parameters, ranges too. */
export type Content = ReadonlyMap<string, Described>

export interface DescribedAnswer {
  /** Undefined: it has no body. */
  readonly content: Content | undefined
  readonly headers: readonly Parameter[]
}
export interface Operation {
  readonly parameters: readonly Parameter[]
  /** Undefined: it takes no body. */
  readonly body: { readonly required: boolean; readonly content: Content } | undefined
  /** By status, class (`2XX`) or `default`. */
  readonly answers: ReadonlyMap<string, DescribedAnswer>
}

interface Context {
  readonly document: JsonObject
  readonly set: SchemaSet
  readonly faults: Faults
}

const STYLES: Record<Parameter['in'], readonly Style[]> = {
  path: ['simple', 'label', 'matrix'],
  query: ['form', 'spaceDelimited', 'pipeDelimited', 'deepObject'],
  header: ['simple'],
}
/** OpenAPI 3.1.1 "Parameter Object": what such a parameter says is ignored. */
const OWN_HEADERS = ['accept', 'content-type', 'authorization']

/** @param pointer of an Operation Object; its path item is one level up. */
export function readOperation(pointer: string, context: Context): Operation {
  const { value } = followObject(context.document, pointer)
  return {
    parameters: readParameters(pointer, context),
    body: readBody(at(pointer, 'requestBody'), value, context),
    answers: readAnswers(at(pointer, 'responses'), context),
  }
}

function readParameters(pointer: string, context: Context): Parameter[] {
  const item = pointer.slice(0, pointer.lastIndexOf('/'))
  const read = new Map<string, Parameter>()
  for (const holder of [item, pointer]) {
    const { value } = followObject(context.document, holder)
    const list: readonly unknown[] = Array.isArray(value.parameters) ? value.parameters : []
    for (const i of list.keys()) {
      const parameter = readParameter(at(holder, 'parameters', String(i)), context)
      // The operation's own come last and win.
      if (parameter) read.set(`${parameter.in} ${parameter.name}`, parameter)
    }
  }
  return [...read.values()]
}

function readParameter(pointer: string, context: Context): Parameter | undefined {
  const { pointer: place, value } = followObject(context.document, pointer)
  const { name, in: where } = value
  if (typeof name !== 'string') return undefined
  if (where !== 'path' && where !== 'query' && where !== 'header') return undefined
  const own = where === 'header' && OWN_HEADERS.includes(name.toLowerCase())
  if (own) return undefined
  return describeParameter(place, { name, in: where }, context)
}

function describeParameter(
  pointer: string,
  { name, in: where }: Pick<Parameter, 'name' | 'in'>,
  context: Context,
  direction: Direction = 'request',
): Parameter {
  const { value } = followObject(context.document, pointer)
  const [usual] = STYLES[where]
  const style = (value.style ?? usual) as Style
  if (!STYLES[where].includes(style)) {
    context.faults.add(at(pointer, 'style'), `is no style of a parameter in ${where}`)
  }
  const [content] = isObject(value.content) ? Object.keys(value.content) : []
  const json = content !== undefined && isJsonType(parseMediaType(content)?.type ?? '')
  const place =
    content === undefined ? at(pointer, 'schema') : at(pointer, 'content', content, 'schema')
  const described = describe(place, context, direction)
  return {
    name: where === 'header' ? name.toLowerCase() : name,
    in: where,
    required: where === 'path' || value.required === true,
    style,
    explode: typeof value.explode === 'boolean' ? value.explode : style === 'form',
    allowEmptyValue: value.allowEmptyValue === true,
    schema: content === undefined || json ? described : undefined,
    json,
    shape: shapeOf(context.document, place),
  }
}

/** The name of the schema at a pointer; undefined when there is none. */
function describe(
  pointer: string,
  { document, set }: Context,
  direction: Direction,
): string | undefined {
  const parent = followObject(document, pointer.slice(0, pointer.lastIndexOf('/')))
  if (parent.value.schema === undefined) return undefined
  return set.define(at(parent.pointer, 'schema'), direction)
}

function readContent(
  pointer: string,
  content: JsonObject,
  context: Context,
  direction: Direction,
): Content {
  const read = new Map<string, Described>()
  for (const name of Object.keys(content)) {
    const place = at(pointer, name)
    const type = parseMediaType(name)?.type
    if (type === undefined) {
      context.faults.add(place, 'is no media type; write one as application/json')
      continue
    }
    const json = isJsonType(type)
    const schema = json ? describe(at(place, 'schema'), context, direction) : undefined
    read.set(type, { schema, json })
  }
  return read
}

function readBody(pointer: string, operation: JsonObject, context: Context): Operation['body'] {
  if (operation.requestBody === undefined) return undefined
  const { pointer: place, value } = followObject(context.document, pointer)
  const content = isObject(value.content) ? value.content : {}
  return {
    required: value.required === true,
    content: readContent(at(place, 'content'), content, context, 'request'),
  }
}

function readAnswers(pointer: string, context: Context): Operation['answers'] {
  const { value } = followObject(context.document, pointer)
  const answers = new Map<string, DescribedAnswer>()
  for (const status of Object.keys(value)) {
    if (!/^([1-5](\d\d|XX)|default)$/.test(status)) continue
    const { pointer: place, value: answer } = followObject(context.document, at(pointer, status))
    const headers = isObject(answer.headers) ? Object.keys(answer.headers) : []
    answers.set(status, {
      content: isObject(answer.content)
        ? readContent(at(place, 'content'), answer.content, context, 'answer')
        : undefined,
      headers: headers
        .filter((name) => name.toLowerCase() !== 'content-type')
        .map((name) => {
          const header = followObject(context.document, at(place, 'headers', name)).pointer
          return describeParameter(header, { name, in: 'header' }, context, 'answer')
        }),
    })
  }
  return answers
}
