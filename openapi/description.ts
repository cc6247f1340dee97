import type { Endpoint } from '../protocol/snapshot.ts'
import { at, isObject, type Dialect, type JsonObject } from './document.ts'
import { DescriptionError, type Fault, type Faults } from './faults.ts'
import { readOperation, type Operation } from './operations.ts'
import { readPaths, type PathOperation } from './paths.ts'
import { checkReferences } from './references.ts'
import { createRouter, type Router } from './router.ts'
import { JSON_SCHEMA_DIALECTS, SchemaSet } from './schemas.ts'
import { checkStructure } from './structure.ts'
import { compileValidators, type Validators } from './validators.ts'

/** An OpenAPI description that messages can be compared with. */
export interface Description {
  readonly title: string
  /** What it offers, each once, in the order of paths and methods. */
  readonly endpoints: readonly Endpoint[]
  readonly router: Router<ReadonlyMap<string, Operation>>
  readonly validators: Validators
}

/** Largest description, in bytes of JSON. */
export const MAX_DESCRIPTION_BYTES = 5 * 1024 * 1024
const MAX_OPERATIONS = 2000

/**
 * Reads an OpenAPI 3.0 or 3.1 description, and compiles what messages are compared with. Gives way to other work
 * in between: a large description takes seconds.
 *
 * @param document from JSON; nothing in it is trusted, and nothing that it refers to is fetched.
 * @throws DescriptionError with all that is wrong in it.
 */
export async function readDescription(document: unknown): Promise<Description> {
  const found: Fault[] = []
  const faults: Faults = { add: (pointer, text) => void found.push({ pointer, text }) }
  const stopIfFaulty = (): void => {
    if (found.length > 0) throw new DescriptionError(found)
  }
  if (!isObject(document)) throw new DescriptionError([{ pointer: '', text: 'write an object' }])
  const dialect = dialectOf(document, faults)
  const title = titleOf(document, faults)
  const isReadable = checkReferences(document, faults)
  if (dialect === undefined || !isReadable) throw new DescriptionError(found)
  const operations = readAllPaths(document, faults)
  checkStructure(document, dialect, faults)
  // What follows relies on the structure.
  stopIfFaulty()
  const set = new SchemaSet(document, dialect, faults)
  const byTemplate = new Map<string, Map<string, Operation>>()
  for (const { pointer, template, endpoint } of operations) {
    const methods = byTemplate.get(template) ?? new Map<string, Operation>()
    methods.set(endpoint.method, readOperation(pointer, { document, set, faults }))
    byTemplate.set(template, methods)
  }
  const { router, conflicts } = createRouter(byTemplate)
  for (const [template, other] of conflicts) {
    faults.add(at('/paths', template), `no path can be told from ${other}`)
  }
  stopIfFaulty()
  const validators = await compileValidators(set, faults)
  stopIfFaulty()
  return { title, endpoints: distinct(operations), router, validators }
}

function dialectOf(document: JsonObject, faults: Faults): Dialect | undefined {
  const { openapi, jsonSchemaDialect } = document
  const version = typeof openapi === 'string' ? /^3\.[01](?=\.\d+(-.+)?$)/.exec(openapi)?.[0] : ''
  if (version !== '3.0' && version !== '3.1') {
    faults.add('/openapi', 'write the version as a string, 3.0.x or 3.1.x')
    return undefined
  }
  const known = JSON_SCHEMA_DIALECTS.includes(String(jsonSchemaDialect))
  if (jsonSchemaDialect !== undefined && !known) {
    faults.add('/jsonSchemaDialect', 'schemas are read as JSON Schema 2020-12 only')
  }
  return version
}

function titleOf({ info }: JsonObject, faults: Faults): string {
  const title = isObject(info) ? info.title : undefined
  if (typeof title === 'string' && title.trim() !== '') return title
  faults.add('/info/title', 'give the description a title')
  return ''
}

function readAllPaths({ paths }: JsonObject, faults: Faults): PathOperation[] {
  if (!isObject(paths) || Object.keys(paths).length === 0) {
    faults.add('/paths', 'describe at least one path; the others cannot be called')
    return []
  }
  const operations = readPaths(paths, faults)
  if (operations.length > MAX_OPERATIONS) {
    faults.add('/paths', `there are more than ${MAX_OPERATIONS} operations; split the service`)
  }
  return operations
}

function distinct(operations: readonly PathOperation[]): Endpoint[] {
  const byText = new Map(operations.map(({ endpoint: e }) => [`${e.path} ${e.method}`, e]))
  return [...byText.keys()].sort().map((text) => byText.get(text)!)
}
