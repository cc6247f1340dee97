import type { Database } from '../runtime/sqlite-database.ts'
import { below, isObject, type JsonObject } from './comparison/difference.ts'
import { invalid } from './input.ts'
import type { ServiceDescription } from './service-description.ts'

/** From the mildest. */
const CLASSES = ['public', 'internal', 'personal', 'sensitive']
const MARK = 'x-spean-classification'
const MAX_DEPTH = 200
const MAX_FIELDS = 20_000

export interface DescribedField {
  readonly name: string
  /** Of the schema of the property, in the description. */
  readonly pointer: string
  readonly classification?: string
}

/**
 * Properties that a description names, with the class where it marks one.
 *
 * @throws ExchangeError `admin.invalid` for a mark that is no class.
 */
export function fieldsOf(description: JsonObject): DescribedField[] {
  const fields: DescribedField[] = []
  const visit = (value: unknown, pointer: string, depth: number): void => {
    if (depth > MAX_DEPTH || fields.length >= MAX_FIELDS) return
    if (Array.isArray(value)) value.forEach((item, i) => visit(item, below(pointer, i), depth + 1))
    if (!isObject(value)) return
    for (const [key, member] of Object.entries(value)) {
      const at = below(pointer, key)
      if (key === 'properties' && isObject(member)) {
        for (const [name, schema] of Object.entries(member)) {
          fields.push({ name, pointer: below(at, name), ...classOf(schema, below(at, name)) })
        }
      }
      // What is an example only looks like a schema
      if (key !== 'example' && key !== 'examples') visit(member, at, depth + 1)
    }
  }
  visit(description, '', 0)
  return fields
}

function classOf(schema: unknown, pointer: string): { classification?: string } {
  const mark = isObject(schema) ? schema[MARK] : undefined
  if (mark === undefined) return {}
  if (typeof mark === 'string' && CLASSES.includes(mark)) return { classification: mark }
  throw invalid(`description${pointer}/${MARK}`, `write one of ${CLASSES.join(', ')}`)
}

/**
 * A service is at least of the class of each of its fields.
 *
 * @throws ExchangeError `admin.invalid` naming the field.
 */
export function checkFieldClasses(
  classification: string | null,
  described: ServiceDescription | undefined,
): void {
  if (described === undefined) return
  const own = CLASSES.indexOf(classification ?? '')
  for (const field of fieldsOf(JSON.parse(described.bytes.toString()) as JsonObject)) {
    if (field.classification === undefined || CLASSES.indexOf(field.classification) <= own) continue
    const which = `description${field.pointer} is ${field.classification}`
    throw invalid('classification', `${which}, so the service is at least ${field.classification}`)
  }
}

/** In place of those that were there. */
export function storeFields(
  db: Database,
  service: string,
  description: ServiceDescription | undefined,
): void {
  db.run('DELETE FROM service_field WHERE service = ?', service)
  if (description === undefined) return
  for (const field of fieldsOf(JSON.parse(description.bytes.toString()) as JsonObject)) {
    db.run(
      'INSERT INTO service_field VALUES (?, ?, ?, ?)',
      service,
      field.name.toWellFormed(),
      field.pointer.toWellFormed(),
      field.classification ?? null,
    )
  }
}

/** Fields that the description marks with a class. */
export function classifiedFields(
  db: Database,
  service: string,
): { readonly pointer: string; readonly classification: string }[] {
  return db.all(
    `SELECT pointer, classification FROM service_field
     WHERE service = ? AND classification IS NOT NULL ORDER BY pointer`,
    service,
  )
}
