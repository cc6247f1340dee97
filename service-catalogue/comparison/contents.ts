import { objectOf, type Direction } from './difference.ts'
import { child, type Findings, type Place } from './findings.ts'
import { compareSchemas } from './schemas.ts'

interface Pair {
  readonly before: Place
  readonly after: Place
}

/** Media types below `content`, and what may stand in each. */
export function compareContents(
  { before, after }: Pair,
  direction: Direction,
  of: string,
  findings: Findings,
): void {
  const [old, now] = [child(before, 'content'), child(after, 'content')]
  const [oldTypes, newTypes] = [old, now].map(
    ({ value }) => new Map(Object.keys(objectOf(value)).map((type) => [type.toLowerCase(), type])),
  ) as [Map<string, string>, Map<string, string>]
  for (const [key, type] of oldTypes) {
    const other = newTypes.get(key)
    if (other === undefined) {
      findings.add('breaking', child(old, type), `media type ${type} of ${of} is taken out`)
    } else {
      compareSchemaOf({ before: child(old, type), after: child(now, other) }, direction, findings)
    }
  }
  for (const [key, type] of newTypes) {
    if (oldTypes.has(key)) continue
    // Answers had no body before: it does not hurt who reads none
    findings.add('compatible', child(now, type), `media type ${type} of ${of} is new`)
  }
}

/** The `schema` member of a parameter, header or media type. */
export function compareSchemaOf(
  { before, after }: Pair,
  direction: Direction,
  findings: Findings,
): void {
  const pair = { before: child(before, 'schema'), after: child(after, 'schema') }
  if (pair.before.value === undefined && pair.after.value === undefined) return
  compareSchemas({ ...pair, direction, findings })
}
