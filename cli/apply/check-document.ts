import { Ajv, type ErrorObject } from 'ajv'
import { DocumentError, nearest, type Fault } from './faults.ts'
import type { Path, SourceDocument } from './read-files.ts'
import { documentSchema } from './schema.ts'

export interface WantedDocument {
  readonly version: 1
  readonly instance: string
  readonly [section: string]: unknown
}

const validate = new Ajv({ allErrors: true, verbose: true, allowUnionTypes: true }).compile(
  documentSchema,
)

/** @throws DocumentError with every fault of every document. */
export function checkDocuments(documents: readonly SourceDocument[], instance: string): void {
  const faults: Fault[] = []
  for (const document of documents) {
    if (!validate(document.value)) {
      faults.push(...(validate.errors ?? []).map((error) => toFault(document, error)))
    }
    const { instance: own } = (document.value ?? {}) as Partial<WantedDocument>
    if (typeof own === 'string' && own !== instance) {
      const text = `/instance: it is for ${own}, and the profile is of ${instance}`
      faults.push({ place: document.place(['instance']), text })
    }
  }
  if (faults.length > 0) throw new DocumentError(faults)
}

function toFault(document: SourceDocument, error: ErrorObject): Fault {
  const { instancePath, keyword, message = 'is not valid', parentSchema } = error
  const params = error.params as Readonly<Record<string, unknown>>
  const path = partsOf(instancePath)
  const pointer = instancePath || '/'
  if (keyword === 'additionalProperties') {
    const name = String(params.additionalProperty)
    const known = Object.keys((parentSchema as { properties?: object }).properties ?? {})
    const meant = nearest(name, known)
    const hint = meant === undefined ? `known are ${known.join(', ')}` : `did you mean ${meant}?`
    const text = `${pointer}: unknown key ${name}; ${hint}`
    return { place: document.place([...path, name], 'key'), text }
  }
  const place = document.place(path)
  if (keyword === 'enum') {
    const words = (params.allowedValues as (string | number | null)[])
      .filter((word) => word !== null)
      .join(', ')
    return { place, text: `${pointer}: write one of ${words}` }
  }
  if (keyword === 'type') {
    const wanted = [params.type].flat().join(' or ')
    return { place, text: `${pointer}: must be ${wanted}, and is ${typeName(error.data)}` }
  }
  return { place, text: `${pointer}: ${message}` }
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

const partsOf = (pointer: string): Path =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
