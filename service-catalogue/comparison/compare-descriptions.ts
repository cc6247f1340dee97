import {
  below,
  isSame,
  objectOf,
  shown,
  type ChangeLevel,
  type Difference,
  type JsonObject,
} from './difference.ts'
import { child, createFindings, type Findings, type Place } from './findings.ts'
import { compareOperations, OPERATIONS, type OperationPair } from './operations.ts'

export interface Comparison {
  /** Of the worst difference; undefined: both say the same. */
  readonly level: ChangeLevel | undefined
  /** The worst first. */
  readonly differences: readonly Difference[]
}

const ORDER: readonly ChangeLevel[] = ['breaking', 'compatible', 'editorial']

/**
 * What a consumer of the old description meets with the new one: OpenAPI 3.0 or 3.1, whose references are
 * within the document. What it does not know counts as breaking when it may decide about messages.
 *
 * @param before undefined: nothing was described, so nothing was promised.
 * @param after undefined: nothing is promised any more.
 */
export function compareDescriptions(
  before: JsonObject | undefined,
  after: JsonObject | undefined,
): Comparison {
  if (before === undefined && after === undefined) return { level: undefined, differences: [] }
  if (before === undefined) return only('compatible', 'the service is described now')
  if (after === undefined) return only('breaking', 'the description is taken away')
  const findings = createFindings(before, after)
  comparePaths(before, after, findings)
  const root = { value: after, pointer: '' }
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (['paths', 'components', 'security'].includes(key)) continue
    if (isSame(before[key] ?? null, after[key] ?? null)) continue
    findings.add('editorial', key in after ? child(root, key) : root, `${key} is another`)
  }
  const found = findings.all()
  if (found.length === 0 && !isSame(before, after)) {
    return only('editorial', 'texts, or parts that no operation uses, are others')
  }
  const differences = found.toSorted((a, b) => ORDER.indexOf(a.level) - ORDER.indexOf(b.level))
  return { level: differences[0]?.level, differences }
}

function only(level: ChangeLevel, text: string): Comparison {
  return { level, differences: [{ level, pointer: '', text }] }
}

/** Names of path parameters are no part of a path. */
const templateOf = (path: string): string => path.replaceAll(/\{[^{}]*\}/g, '{}')

function comparePaths(before: JsonObject, after: JsonObject, findings: Findings): void {
  const [old, now] = [before, after].map(pathsOf) as [Map<string, Place>, Map<string, Place>]
  for (const [template, oldItem] of old) {
    const newItem = now.get(template)
    if (newItem === undefined) {
      findings.add('breaking', oldItem, `path ${lastOf(oldItem)} is taken out`)
    } else {
      const [oldPath, newPath] = [lastOf(oldItem), lastOf(newItem)]
      if (oldPath !== newPath) {
        findings.add('editorial', newItem, `path ${oldPath} is written ${newPath} now`)
      }
      compareItems(
        { before: findings.resolveOld(oldItem), after: findings.resolveNew(newItem) },
        { before, after },
        findings,
      )
    }
  }
  for (const [template, item] of now) {
    if (!old.has(template)) findings.add('compatible', item, `path ${lastOf(item)} is new`)
  }
}

function pathsOf(document: JsonObject): Map<string, Place> {
  const paths = Object.keys(objectOf(document.paths)).filter((path) => !path.startsWith('x-'))
  return new Map(
    paths.map((path) => [templateOf(path), child({ value: document, pointer: '' }, 'paths', path)]),
  )
}

function lastOf({ pointer }: Place): string {
  return (pointer.split('/').at(-1) ?? '').replaceAll('~1', '/').replaceAll('~0', '~')
}

function compareItems(
  items: { readonly before: Place; readonly after: Place },
  documents: { readonly before: JsonObject; readonly after: JsonObject },
  findings: Findings,
): void {
  const [old, now] = [objectOf(items.before.value), objectOf(items.after.value)]
  for (const method of OPERATIONS) {
    const pair = { before: child(items.before, method), after: child(items.after, method) }
    const name = `${method.toUpperCase()} ${lastOf(items.after)}`
    if (old[method] === undefined && now[method] === undefined) continue
    if (now[method] === undefined) {
      findings.add('breaking', pair.before, `operation ${name} is taken out`)
    } else if (old[method] === undefined) {
      findings.add('compatible', pair.after, `operation ${name} is new`)
    } else {
      const operation: OperationPair = { ...pair, items, documents, name }
      compareOperations(operation, findings)
    }
  }
  for (const key of ['summary', 'description'] as const) {
    if (isSame(old[key] ?? null, now[key] ?? null)) continue
    const at = { value: now[key], pointer: below(items.after.pointer, key) }
    findings.add('editorial', at, `${key} of the path was ${shown(old[key])}`)
  }
}
