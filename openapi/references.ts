import { at, localPointer, lookUp, type JsonObject } from './document.ts'
import type { Faults } from './faults.ts'

/** Greatest nesting of a description; the strict reader of messages stands at 64 as well. */
const MAX_DEPTH = 100
const MAX_NODES = 500_000
/** Members that are data, in which a `$ref` is no reference. */
const DATA = new Set(['example', 'examples', 'default', 'enum', 'const', 'value'])

/**
 * Looks at every reference, and refuses those that lead out of the description: nothing is ever fetched. Then it
 * refuses what is too large to be read.
 *
 * @returns whether the rest can be looked at.
 */
export function checkReferences(document: JsonObject, faults: Faults): boolean {
  const waiting: { value: object; pointer: string; depth: number }[] = [
    { value: document, pointer: '', depth: 1 },
  ]
  let nodes = 0
  let isReadable = true
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { value, pointer, depth } = next
    nodes += 1
    if (nodes > MAX_NODES) {
      faults.add('', `it has more than ${MAX_NODES} objects and lists; split the service`)
      return false
    }
    if (depth > MAX_DEPTH) {
      faults.add(pointer, `it is nested more than ${MAX_DEPTH} deep`)
      isReadable = false
      continue
    }
    const { $ref } = value as { $ref?: unknown }
    if (typeof $ref === 'string') checkReference(document, at(pointer, '$ref'), $ref, faults)
    for (const [name, inner] of Object.entries(value)) {
      if (typeof inner !== 'object' || inner === null || isData(pointer, name)) continue
      waiting.push({ value: inner as object, pointer: at(pointer, name), depth: depth + 1 })
    }
  }
  return isReadable
}

/** `properties` may have a member called `example`; there it is a schema. */
function isData(pointer: string, name: string): boolean {
  if (/\/(properties|patternProperties|schemas|\$defs)$/.test(pointer)) return false
  return name.startsWith('x-') || DATA.has(name)
}

function checkReference(
  document: unknown,
  pointer: string,
  reference: string,
  faults: Faults,
): void {
  if (!reference.startsWith('#')) {
    faults.add(pointer, `it leads out of the description, and nothing is fetched; bundle it first`)
    return
  }
  const target = localPointer(reference)
  if (target === undefined || lookUp(document, target) === undefined) {
    faults.add(pointer, 'there is nothing at this place of the description')
  }
}
