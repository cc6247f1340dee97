import {
  isObject,
  isSame,
  levelOf,
  listOf,
  objectOf,
  shown,
  textOf,
  type Direction,
  type Effect,
  type JsonObject,
} from './difference.ts'
import { child, type Findings, type Place } from './findings.ts'

/** Upper and lower limits: a lower value of the first, a higher of the second lets fewer values pass. */
const UPPER = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties']
const LOWER = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties']
/** With one of them fewer values pass than without; two different ones cannot be compared. */
const RESTRICTING = ['format', 'pattern', 'multipleOf', 'contentEncoding', 'contentMediaType']
/** Say nothing about which values pass. */
const TEXTS = ['title', 'description', 'example', 'examples', 'externalDocs', 'xml', '$comment']
const NOTES = ['deprecated', 'x-spean-classification']
/** Compared in their own way below. */
const COMPARED = new Set([
  ...[...UPPER, ...LOWER, ...RESTRICTING, ...TEXTS, ...NOTES],
  ...['type', 'nullable', 'enum', 'const', 'properties', 'required', 'additionalProperties'],
  ...['items', 'prefixItems', 'allOf', 'anyOf', 'oneOf', 'uniqueItems', 'default', '$defs'],
])
const ALL_TYPES = ['array', 'boolean', 'integer', 'null', 'number', 'object', 'string']
const MAX_DEPTH = 100

interface Comparison {
  readonly before: Place
  readonly after: Place
  readonly direction: Direction
  readonly findings: Findings
  readonly depth: number
}

/** Compares what may pass on one side of a call; an absent schema lets everything pass. */
export function compareSchemas(
  given: Omit<Comparison, 'depth'> & { readonly depth?: number },
): void {
  const { findings, direction, depth = 0 } = given
  const before = findings.resolveOld(given.before)
  const after = findings.resolveNew(given.after)
  if (!findings.isFirst(before, after, direction)) return
  const comparison = { before, after, direction, findings, depth }
  const [oldSchema, newSchema] = [asSchema(before.value), asSchema(after.value)]
  if (depth > MAX_DEPTH || oldSchema === false || newSchema === false) {
    if (isSame(before.value, after.value)) return
    const effect =
      newSchema === false
        ? 'narrower'
        : oldSchema === false && depth <= MAX_DEPTH
          ? 'wider'
          : 'other'
    tell(comparison, effect, '', `what may stand here was ${shown(before.value)}`)
    return
  }
  compareTypes(comparison, oldSchema, newSchema)
  compareValues(comparison, oldSchema, newSchema)
  compareLimits(comparison, oldSchema, newSchema)
  compareObjects(comparison, oldSchema, newSchema)
  compareBelow(comparison, 'items')
  comparePrefixItems(comparison)
  for (const keyword of ['allOf', 'anyOf', 'oneOf'] as const) compareSeveral(comparison, keyword)
  compareTheRest(comparison, oldSchema, newSchema)
}

const asSchema = (value: unknown): JsonObject | false => (value === false ? false : objectOf(value))

function tell(
  { after, direction, findings }: Comparison,
  effect: Effect,
  keyword: string,
  text: string,
): void {
  const side = direction === 'request' ? 'of requests' : 'of answers'
  findings.add(
    levelOf(effect, direction),
    keyword === '' ? after : child(after, keyword),
    `${side}: ${text}`,
  )
}

function effectOf(isNarrower: boolean, isWider: boolean): Effect {
  return isNarrower && isWider ? 'other' : isNarrower ? 'narrower' : 'wider'
}

function typesOf({ type, nullable }: JsonObject): Set<string> {
  const named = typeof type === 'string' ? [type] : listOf(type)
  const types = new Set(named.length === 0 ? ALL_TYPES : named.map(String))
  if (nullable === true) types.add('null')
  if (types.has('number')) types.add('integer')
  return types
}

function compareTypes(comparison: Comparison, before: JsonObject, after: JsonObject): void {
  const [old, now] = [typesOf(before), typesOf(after)]
  const removed = [...old.difference(now)]
  const added = [...now.difference(old)]
  if (removed.length + added.length === 0) return
  const words = [
    ...(removed.length > 0 ? [`no longer ${removed.join(', ')}`] : []),
    ...(added.length > 0 ? [`now also ${added.join(', ')}`] : []),
  ]
  tell(
    comparison,
    effectOf(removed.length > 0, added.length > 0),
    'type' in after ? 'type' : '',
    `the type is ${words.join(' and ')}`,
  )
}

function compareValues(comparison: Comparison, before: JsonObject, after: JsonObject): void {
  const [old, now] = [valuesOf(before), valuesOf(after)]
  const keyword = 'enum' in after ? 'enum' : 'const' in after ? 'const' : ''
  if (old && now) {
    const removed = [...old.keys()].filter((key) => !now.has(key))
    const added = [...now.keys()].filter((key) => !old.has(key))
    if (removed.length + added.length === 0) return
    const words = [
      ...removed.map((key) => `${shown(old.get(key))} is taken out`),
      ...added.map((key) => `${shown(now.get(key))} is new`),
    ]
    const effect = effectOf(removed.length > 0, added.length > 0)
    tell(comparison, effect, keyword, `among the values ${words.join(', ')}`)
  } else if (now) {
    tell(comparison, 'narrower', keyword, 'only certain values are allowed now')
  } else if (old) {
    tell(comparison, 'wider', '', 'other values than the listed ones are allowed now')
  }
}

function valuesOf(schema: JsonObject): Map<string, unknown> | undefined {
  const values = 'const' in schema ? [schema.const] : schema.enum
  return Array.isArray(values) ? new Map(values.map((v) => [textOf(v), v as unknown])) : undefined
}

function compareLimits(comparison: Comparison, before: JsonObject, after: JsonObject): void {
  for (const keyword of [...UPPER, ...LOWER, ...RESTRICTING, 'uniqueItems']) {
    const [old, now] = [before[keyword], after[keyword]].map((v) => (v === false ? undefined : v))
    if (isSame(old ?? null, now ?? null)) continue
    const text = `${keyword} was ${shown(old)}, now ${shown(now)}`
    if (old === undefined) tell(comparison, 'narrower', keyword, text)
    else if (now === undefined) tell(comparison, 'wider', '', text)
    else if (typeof old !== 'number' || typeof now !== 'number' || RESTRICTING.includes(keyword)) {
      tell(comparison, 'other', keyword, text)
    } else {
      tell(comparison, now < old === UPPER.includes(keyword) ? 'narrower' : 'wider', keyword, text)
    }
  }
}

function compareObjects(comparison: Comparison, before: JsonObject, after: JsonObject): void {
  const { direction, findings, depth } = comparison
  const old = child(comparison.before, 'properties')
  const now = child(comparison.after, 'properties')
  const [oldNames, newNames] = [objectOf(old.value), objectOf(now.value)].map(
    (properties) => new Set(Object.keys(properties)),
  ) as [Set<string>, Set<string>]
  const wasRequired = new Set(listOf(before.required).map(String))
  const isRequired = new Set(listOf(after.required).map(String))
  const where = direction === 'request' ? 'requests' : 'answers'
  for (const name of oldNames.difference(newNames)) {
    findings.add('breaking', child(old, name), `property ${name} is taken out of ${where}`)
  }
  for (const name of newNames.difference(oldNames)) {
    const isNeeded = direction === 'request' && isRequired.has(name)
    const text = `property ${name} is new in ${where}${isNeeded ? ', and required' : ''}`
    findings.add(isNeeded ? 'breaking' : 'compatible', child(now, name), text)
  }
  for (const name of isRequired.difference(wasRequired)) {
    if (newNames.has(name) && !oldNames.has(name)) continue
    tell(comparison, 'narrower', 'required', `property ${name} is required now`)
  }
  for (const name of wasRequired.difference(isRequired)) {
    if (oldNames.has(name) && !newNames.has(name)) continue
    tell(comparison, 'wider', '', `property ${name} is no longer required`)
  }
  for (const name of oldNames.intersection(newNames)) {
    const pair = { before: child(old, name), after: child(now, name) }
    compareSchemas({ ...pair, direction, findings, depth: depth + 1 })
  }
  compareBelow(comparison, 'additionalProperties')
}

/** A schema below a keyword; without it everything passes there. */
function compareBelow({ before, after, ...rest }: Comparison, keyword: string): void {
  const pair = { before: child(before, keyword), after: child(after, keyword) }
  if (pair.before.value === undefined && pair.after.value === undefined) return
  compareSchemas({ ...pair, ...rest, depth: rest.depth + 1 })
}

function comparePrefixItems(comparison: Comparison): void {
  const { before, after, direction, findings, depth } = comparison
  const old = child(before, 'prefixItems')
  const now = child(after, 'prefixItems')
  const count = Math.max(listOf(old.value).length, listOf(now.value).length)
  for (let i = 0; i < count; i++) {
    const pair = { before: child(old, i), after: child(now, i) }
    compareSchemas({ ...pair, direction, findings, depth: depth + 1 })
  }
}

/** Equal ones are left out; what remains is compared in its order, or by how many there are. */
function compareSeveral(comparison: Comparison, keyword: 'allOf' | 'anyOf' | 'oneOf'): void {
  const { before, after, direction, findings, depth } = comparison
  const placesOf = (place: Place): Place[] =>
    listOf(child(place, keyword).value).map((_, i) => child(place, keyword, i))
  const [allOld, allNew] = [placesOf(before), placesOf(after)]
  const keyOf = ({ value }: Place): string => textOf(value)
  const [oldKeys, newKeys] = [new Set(allOld.map(keyOf)), new Set(allNew.map(keyOf))]
  const old = allOld.filter((place) => !newKeys.has(keyOf(place)))
  const now = allNew.filter((place) => !oldKeys.has(keyOf(place)))
  // The same reference may have another target
  for (const place of allOld.filter((one) => newKeys.has(keyOf(one)))) {
    const same = allNew.find((other) => keyOf(other) === keyOf(place))
    if (same) compareSchemas({ before: place, after: same, direction, findings, depth: depth + 1 })
  }
  if (old.length === now.length) {
    old.forEach((place, i) =>
      compareSchemas({ before: place, after: now[i]!, direction, findings, depth: depth + 1 }),
    )
    return
  }
  const isMore = now.length > old.length
  const isFromNothing = keyword !== 'allOf' && (allOld.length === 0 || allNew.length === 0)
  const isNarrower = (keyword === 'allOf') !== isFromNothing ? isMore : !isMore
  const mixed = old.length > 0 && now.length > 0
  const effect = mixed ? 'other' : isNarrower ? 'narrower' : 'wider'
  tell(
    comparison,
    effect,
    now.length > 0 ? keyword : '',
    `${keyword} has ${isMore ? 'more' : 'fewer'} schemas`,
  )
}

function compareTheRest(comparison: Comparison, before: JsonObject, after: JsonObject): void {
  const { direction, findings, after: place } = comparison
  for (const keyword of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (isSame(before[keyword] ?? null, after[keyword] ?? null)) continue
    const at = keyword in after ? child(place, keyword) : place
    if (TEXTS.includes(keyword)) findings.add('editorial', at, `${keyword} has another text`)
    else if (NOTES.includes(keyword)) {
      const text = `${keyword} was ${shown(before[keyword])}, now ${shown(after[keyword])}`
      findings.add('compatible', at, text)
    } else if (keyword === 'default') {
      const text = `the default was ${shown(before.default)}, now ${shown(after.default)}`
      findings.add(direction === 'request' ? 'breaking' : 'compatible', at, text)
    } else if (keyword.startsWith('x-')) {
      findings.add('editorial', at, `extension ${keyword} is another`)
    } else if (!COMPARED.has(keyword)) {
      const names = isObject(after[keyword]) ? keyword : `${keyword} ${shown(after[keyword])}`
      tell(comparison, 'other', keyword in after ? keyword : '', `${names} is another`)
    }
  }
}
