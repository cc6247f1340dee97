import { isSame, listOf, objectOf, shown, type JsonObject } from './difference.ts'
import { child, type Findings, type Place } from './findings.ts'
import { compareContents, compareSchemaOf } from './contents.ts'
import { compareResponses } from './responses.ts'

export const OPERATIONS = [
  ...(['get', 'put', 'post', 'delete', 'patch'] as const),
  ...(['head', 'options', 'trace'] as const),
]

export interface OperationPair {
  readonly before: Place
  readonly after: Place
  /** The path items that hold them. */
  readonly items: { readonly before: Place; readonly after: Place }
  readonly documents: { readonly before: JsonObject; readonly after: JsonObject }
  /** `GET /persons/{id}`. */
  readonly name: string
}

const TEXTS = ['summary', 'description', 'operationId', 'tags', 'externalDocs', 'servers']
const COMPARED = ['parameters', 'requestBody', 'responses', 'security', ...TEXTS]

export function compareOperations(pair: OperationPair, findings: Findings): void {
  compareParameters(pair, findings)
  compareRequestBodies(pair, findings)
  compareResponses(
    { before: child(pair.before, 'responses'), after: child(pair.after, 'responses') },
    pair.name,
    findings,
  )
  compareSecurity(pair, findings)
  const [old, now] = [objectOf(pair.before.value), objectOf(pair.after.value)]
  for (const key of new Set([...Object.keys(old), ...Object.keys(now)])) {
    if (isSame(old[key] ?? null, now[key] ?? null)) continue
    const at = key in now ? child(pair.after, key) : pair.after
    if (TEXTS.includes(key) || key.startsWith('x-')) {
      findings.add('editorial', at, `${key} of ${pair.name} is another`)
    } else if (key === 'deprecated') {
      const text = now.deprecated === true ? 'deprecated now' : 'no longer deprecated'
      findings.add('compatible', at, `${pair.name} is ${text}`)
    } else if (!COMPARED.includes(key)) {
      findings.add('breaking', at, `${key} of ${pair.name} is another`)
    }
  }
}

interface Parameter {
  readonly place: Place
  readonly value: JsonObject
  /** `query parameter name`. */
  readonly name: string
}

function compareParameters(
  { before, after, items, name }: OperationPair,
  findings: Findings,
): void {
  const old = parametersOf(items.before, before, findings.resolveOld)
  const now = parametersOf(items.after, after, findings.resolveNew)
  for (const [key, parameter] of old) {
    const other = now.get(key)
    if (other) compareParameter(parameter, other, findings)
    else findings.add('breaking', parameter.place, `${parameter.name} of ${name} is taken out`)
  }
  for (const [key, { place, value, name: which }] of now) {
    if (old.has(key)) continue
    const isNeeded = value.required === true
    const text = `${which} of ${name} is new${isNeeded ? ' and required' : ''}`
    findings.add(isNeeded ? 'breaking' : 'compatible', place, text)
  }
}

/** Those of the operation take the place of those of its path (OpenAPI 3.1.1 §4.8.10.1). */
function parametersOf(
  item: Place,
  operation: Place,
  resolve: (place: Place) => Place,
): Map<string, Parameter> {
  const order = [...lastTemplate(item.pointer).matchAll(/\{([^{}]*)\}/g)].map(([, found]) => found)
  const found = new Map<string, Parameter>()
  for (const list of [child(item, 'parameters'), child(operation, 'parameters')]) {
    listOf(list.value).forEach((_, i) => {
      const place = resolve(child(list, i))
      const value = objectOf(place.value)
      const [where, called] = [String(value.in), String(value.name)]
      const position = where === 'path' ? order.indexOf(called) : -1
      const key = where === 'header' ? called.toLowerCase() : position < 0 ? called : `#${position}`
      found.set(`${where} ${key}`, { place, value, name: `${where} parameter ${called}` })
    })
  }
  return found
}

function lastTemplate(pointer: string): string {
  return (pointer.split('/').at(-1) ?? '').replaceAll('~1', '/').replaceAll('~0', '~')
}

const HOW_WRITTEN = ['style', 'explode', 'allowReserved', 'allowEmptyValue']

function compareParameter(before: Parameter, after: Parameter, findings: Findings): void {
  const { value: old, name } = before
  const { value: now, place } = after
  if (old.required !== true && now.required === true) {
    findings.add('breaking', child(place, 'required'), `${name} is required now`)
  }
  if (old.required === true && now.required !== true) {
    findings.add('compatible', place, `${name} is no longer required`)
  }
  for (const key of HOW_WRITTEN) {
    if (isSame(old[key] ?? null, now[key] ?? null)) continue
    const at = key in now ? child(place, key) : place
    findings.add('breaking', at, `${key} of ${name} was ${shown(old[key])}, now ${shown(now[key])}`)
  }
  if (!isSame(old.description ?? null, now.description ?? null)) {
    findings.add('editorial', child(place, 'description'), `description of ${name} is another`)
  }
  if (!isSame(old.deprecated ?? false, now.deprecated ?? false)) {
    findings.add(
      'compatible',
      place,
      `${name} is ${now.deprecated === true ? '' : 'not '}deprecated`,
    )
  }
  const pair = { before: before.place, after: after.place }
  compareSchemaOf(pair, 'request', findings)
  compareContents(pair, 'request', name, findings)
}

function compareRequestBodies({ before, after, name }: OperationPair, findings: Findings): void {
  const old = findings.resolveOld(child(before, 'requestBody'))
  const now = findings.resolveNew(child(after, 'requestBody'))
  if (old.value === undefined && now.value === undefined) return
  const isRequired = objectOf(now.value).required === true
  if (now.value === undefined) findings.add('breaking', old, `${name} takes no body any more`)
  else if (old.value === undefined) {
    const text = `${name} takes a body now${isRequired ? ', and needs one' : ''}`
    findings.add(isRequired ? 'breaking' : 'compatible', now, text)
  } else {
    const wasRequired = objectOf(old.value).required === true
    if (isRequired && !wasRequired) findings.add('breaking', now, `${name} needs a body now`)
    if (wasRequired && !isRequired) {
      findings.add('compatible', now, `${name} needs no body any more`)
    }
    compareContents({ before: old, after: now }, 'request', `requests of ${name}`, findings)
  }
}

function compareSecurity(
  { before, after, documents, name }: OperationPair,
  findings: Findings,
): void {
  const old = objectOf(before.value).security ?? documents.before.security ?? []
  const now = objectOf(after.value).security ?? documents.after.security ?? []
  if (isSame(old, now)) return
  const isOpen = (list: unknown): boolean =>
    listOf(list).length === 0 || listOf(list).some((one) => Object.keys(objectOf(one)).length === 0)
  const keeps = listOf(old).every((one) => listOf(now).some((other) => isSame(one, other)))
  const level = isOpen(now) || (keeps && !isOpen(old)) ? 'compatible' : 'breaking'
  const at = 'security' in objectOf(after.value) ? child(after, 'security') : after
  findings.add(level, at, `${name} asks for another way to log in`)
}
