import { setImmediate as nextTurn } from 'node:timers/promises'
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import type { Faults } from './faults.ts'
import { pointerOf, pointerTokens, tellableName, type Finding } from './finding.ts'
import { formats, KEYWORDS, REPLACED } from './keywords.ts'
import { compilePattern } from './patterns.ts'
import type { SchemaSet } from './schemas.ts'

/** Longest JSON text in which every fault is looked for; in a longer one the first is enough. */
const ALL_FAULTS_UP_TO = 65_536

/** The compiled schemas of a description. */
export interface Validators {
  /** Names of members that the description has. */
  readonly names: ReadonlySet<string>
  /**
   * Where `value` is not what a schema says; empty: it is.
   *
   * @param name what `SchemaSet.define` returned.
   * @param size of the text that it was read from.
   */
  check(name: string, value: unknown, size: number): SchemaFinding[]
}
export type SchemaFinding = Pick<Finding, 'place' | 'keyword'>

const ROOT = 'https://description.invalid/'

/**
 * Compiles every schema of a description, giving way to other work after each: a large one takes a while.
 *
 * @param faults takes in what no schema of JSON Schema 2020-12 is; then what is returned is of no use.
 */
export async function compileValidators(set: SchemaSet, faults: Faults): Promise<Validators> {
  const quick = createAjv(false)
  const sound = set.definitions.filter((definition) => {
    if (quick.validateSchema(definition.schema as object | boolean) === true) return true
    for (const { instancePath, message } of quick.errors ?? []) {
      faults.add(definition.pointer + instancePath, message ?? 'is no schema')
    }
    return false
  })
  const document = {
    $id: ROOT,
    $defs: Object.fromEntries(set.definitions.map(({ name, schema }) => [name, schema])),
  }
  if (sound.length < set.definitions.length) return { names: set.names, check: () => [] }
  quick.addSchema(document)
  const compiled = new Map<string, ValidateFunction>()
  for (const { name, pointer } of set.definitions) {
    try {
      compiled.set(name, quick.compile({ $ref: `${ROOT}#/$defs/${name}` }))
    } catch (error) {
      faults.add(pointer, `is a schema that cannot be used: ${(error as Error).message}`)
    }
    await nextTurn()
  }
  // Made when first a message is refused.
  let thorough: Ajv2020 | undefined
  const explaining = new Map<string, ValidateFunction>()
  const explain = (name: string, value: unknown): readonly ErrorObject[] => {
    thorough ??= createAjv(true).addSchema(document)
    const known = explaining.get(name)
    const validate = known ?? thorough.compile({ $ref: `${ROOT}#/$defs/${name}` })
    explaining.set(name, validate)
    validate(value)
    return validate.errors ?? []
  }
  return {
    names: set.names,
    check: (name, value, size) => {
      const validate = compiled.get(name)
      if (validate === undefined || validate(value) === true) return []
      const errors = size <= ALL_FAULTS_UP_TO ? explain(name, value) : (validate.errors ?? [])
      return toFindings(errors, set.names)
    },
  }
}

function createAjv(allErrors: boolean): Ajv2020 {
  const regExp = Object.assign((pattern: string) => compilePattern(pattern), { code: '' })
  const ajv = new Ajv2020({
    allErrors,
    strict: false,
    addUsedSchema: false,
    validateSchema: false,
    ownProperties: true,
    inlineRefs: false,
    messages: true,
    multipleOfPrecision: 9,
    logger: false,
    formats: formats(),
    code: { regExp },
  })
  for (const keyword of REPLACED) ajv.removeKeyword(keyword)
  for (const keyword of KEYWORDS) ajv.addKeyword(keyword)
  return ajv
}

/** Of what all branches of a choice say, what is furthest in: the rest follows from it. */
function toFindings(errors: readonly ErrorObject[], names: ReadonlySet<string>): SchemaFinding[] {
  const told = errors.filter(({ keyword }) => keyword !== 'if' && keyword !== 'propertyNames')
  return (told.length === 0 ? errors : told).map((error) => ({
    place: pointerOf(placeOf(error, names)),
    keyword: error.keyword.replace(/^spean-/, '').replace('false schema', 'false'),
  }))
}

function placeOf(
  { instancePath, params }: ErrorObject,
  names: ReadonlySet<string>,
): readonly string[] {
  const tell = (token: string): string =>
    names.has(token) || /^\d{1,6}$/.test(token) ? token : '*'
  const tokens = pointerTokens(instancePath).map(tell)
  const { missingProperty, additionalProperty, unevaluatedProperty } = params as Partial<
    Record<string, unknown>
  >
  if (typeof missingProperty === 'string') return [...tokens, missingProperty]
  const unknown = additionalProperty ?? unevaluatedProperty
  return typeof unknown === 'string' ? [...tokens, tellableName(unknown)] : tokens
}
