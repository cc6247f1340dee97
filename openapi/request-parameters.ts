import { decodeUtf8, readJson } from './strict-json.ts'
import { tellableName, type Finding } from './finding.ts'
import type { Parameter } from './operations.ts'
import { readValues } from './parameters.ts'
import type { Validators } from './validators.ts'

type Part = Finding['in']

/** One parameter's texts as the style splits them, percent-encoding still in them. */
interface Raw {
  readonly texts: readonly string[]
  readonly pairs: boolean
}

interface PathValues {
  /** As it was sent. */
  readonly path: string
  readonly parameters: ReadonlyMap<string, string>
}

/** Compares decoded path parameters with the description. */
export function checkPath(
  parameters: readonly Parameter[],
  { path, parameters: values }: PathValues,
  validators: Validators,
): Finding[] {
  return parameters
    .filter((parameter) => parameter.in === 'path')
    .flatMap((parameter) => {
      const value = values.get(parameter.name)
      if (value === undefined) return [finding('path', parameter.name, 'required')]
      // It was decoded before it is split: a service that splits first sees another list.
      if (isList(parameter) && /%(2c|2e|3b|3d)/i.test(path)) {
        return [finding('path', parameter.name, 'ambiguous')]
      }
      return checkValue(parameter, splitPath(parameter, value), validators)
    })
}

/**
 * Compares the query with the description; what is not described is a finding.
 *
 * @param query from `?` on, or empty; set by the caller.
 */
export function checkQuery(
  parameters: readonly Parameter[],
  query: string,
  validators: Validators,
): Finding[] {
  const described = parameters.filter((parameter) => parameter.in === 'query')
  const findings: Finding[] = []
  const given = new Map<string, string[]>()
  for (const pair of query.slice(1).split('&')) {
    if (pair === '') continue
    // Some services take it for `&`.
    if (pair.includes(';')) findings.push(finding('query', '', 'ambiguous'))
    const equals = pair.indexOf('=')
    const name = decodeQuery(equals < 0 ? pair : pair.slice(0, equals))
    const value = equals < 0 ? '' : pair.slice(equals + 1)
    if (name === undefined || decodeQuery(value) === undefined) {
      findings.push(finding('query', '', 'encoding'))
    } else given.set(name, [...(given.get(name) ?? []), value])
  }
  const taken = new Set<string>()
  for (const parameter of described) {
    const raw = pickQuery(parameter, given, taken)
    if (raw === 'repeated') findings.push(finding('query', parameter.name, 'duplicate'))
    else if (raw !== undefined) findings.push(...checkValue(parameter, raw, validators))
    else if (parameter.required) findings.push(finding('query', parameter.name, 'required'))
  }
  for (const name of given.keys()) {
    if (!taken.has(name)) findings.push(finding('query', tellableName(name), 'unknown'))
  }
  return findings
}

/** Compares headers of a request or an answer with the description; others pass. */
export function checkHeaders(
  parameters: readonly Parameter[],
  valuesOf: (name: string) => readonly string[],
  validators: Validators,
): Finding[] {
  return parameters
    .filter((parameter) => parameter.in === 'header')
    .flatMap((parameter) => {
      const values = valuesOf(parameter.name)
      if (values.length === 0) {
        return parameter.required ? [finding('header', parameter.name, 'required')] : []
      }
      const text = decodeUtf8(Buffer.from(values.join(', '), 'latin1'))
      if (text === undefined) return [finding('header', parameter.name, 'utf8')]
      const texts = isList(parameter) ? text.split(',').map((one) => one.trim()) : [text]
      return checkValue(parameter, { texts, pairs: parameter.explode }, validators)
    })
}

const isList = ({ shape, json }: Parameter): boolean =>
  !json && (shape.items !== undefined || shape.members !== undefined)

function checkValue(parameter: Parameter, raw: Raw, validators: Validators): Finding[] {
  const { name, in: where, schema, json, shape, allowEmptyValue } = parameter
  if (schema === undefined) return []
  if (allowEmptyValue && raw.texts.length === 1 && raw.texts[0] === '') return []
  const size = raw.texts.reduce((sum, text) => sum + text.length, 0)
  let values: readonly unknown[]
  if (json) {
    const reading = readJson(Buffer.from(raw.texts.join(',')))
    if (!reading.ok) return [finding(where, name, reading.fault)]
    values = [reading.value]
  } else values = readValues(shape, raw)
  const all = values.map((value) => validators.check(schema, value, size))
  if (all.some((findings) => findings.length === 0)) return []
  return all[0]!.map(({ keyword }) => finding(where, name, keyword))
}

function splitPath({ style, explode, name, json, shape }: Parameter, value: string): Raw {
  const isMany = !json && (shape.items !== undefined || shape.members !== undefined)
  if (style === 'simple') return { texts: isMany ? value.split(',') : [value], pairs: explode }
  const mark = style === 'label' ? '.' : ';'
  const rest = value.startsWith(mark) ? value.slice(1) : value
  if (style === 'label') {
    return { texts: isMany ? rest.split(explode ? '.' : ',') : [rest], pairs: explode }
  }
  const isObjectOnly = shape.members !== undefined && shape.items === undefined
  if (explode && isObjectOnly) return { texts: rest.split(';'), pairs: true }
  const bare = rest
    .split(';')
    .map((part) => (part.startsWith(`${name}=`) ? part.slice(name.length + 1) : part))
  return { texts: explode || !isMany ? bare : bare.join(',').split(','), pairs: false }
}

/** What of the query is this parameter's; marks the names that it takes. */
function pickQuery(
  { name, style, explode, shape, json }: Parameter,
  given: ReadonlyMap<string, readonly string[]>,
  taken: Set<string>,
): Raw | 'repeated' | undefined {
  const decode = (text: string): string => decodeQuery(text) ?? text
  if (style === 'deepObject') return pickMembers(given, taken, (key) => deepMember(name, key))
  if (shape.members !== undefined && style === 'form' && explode && !json) {
    const { members } = shape
    const found = pickMembers(given, taken, (key) => (members.has(key) ? key : undefined))
    if (found !== undefined || shape.types.size === 0) return found
  }
  const values = given.get(name)
  if (values === undefined) return undefined
  taken.add(name)
  const isMany = !json && (shape.items !== undefined || shape.members !== undefined)
  if (isMany && explode) return { texts: values.map(decode), pairs: false }
  // Which of two a service takes is not known.
  if (values.length > 1) return 'repeated'
  const [value = ''] = values
  if (!isMany) return { texts: [decode(value)], pairs: false }
  const between = { spaceDelimited: /%20|\+| /i, pipeDelimited: /%7C|\|/i }
  const separator = style in between ? between[style as keyof typeof between] : ','
  return { texts: value.split(separator).map(decode), pairs: false }
}

function pickMembers(
  given: ReadonlyMap<string, readonly string[]>,
  taken: Set<string>,
  memberOf: (key: string) => string | undefined,
): Raw | 'repeated' | undefined {
  const texts: string[] = []
  for (const [key, values] of given) {
    const member = memberOf(key)
    if (member === undefined || taken.has(key)) continue
    taken.add(key)
    if (values.length > 1) return 'repeated'
    texts.push(member, decodeQuery(values[0]!) ?? '')
  }
  return texts.length === 0 ? undefined : { texts, pairs: false }
}

/** `filter[name]` → `name`. */
function deepMember(name: string, key: string): string | undefined {
  const isMember = key.startsWith(`${name}[`) && key.endsWith(']')
  return isMember ? key.slice(name.length + 1, -1) : undefined
}

/** As forms are encoded; undefined when it is not percent-encoded UTF-8. */
function decodeQuery(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

const finding = (where: Part, place: string, keyword: string): Finding => ({
  in: where,
  place,
  keyword,
})
