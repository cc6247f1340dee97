import { pointerOf, pointerTokens, tellableName, type Finding } from './finding.ts'
import { decodeUtf8, readJson, type JsonFault, type Spans } from './strict-json.ts'

/** Fields by their first token; `whole`: all below is allowed too. */
interface Allowed {
  readonly below: Map<string, Allowed>
  whole: boolean
}

/** What of a body a contract allows (protocol/README.md §13.3). */
export interface FieldFilter {
  /**
   * Takes out what is not allowed. What stays has the bytes that it had.
   *
   * @returns the body as it came when all of it is allowed; the fault when it is no JSON that can be judged, or
   *   `contract` when it is a single value that no field covers.
   */
  apply(bytes: Uint8Array): Filtered
}
export type Filtered =
  | { readonly bytes: Uint8Array; readonly removed: readonly Finding[] }
  | { readonly fault: JsonFault | 'contract'; readonly pointer: string }

/** @param fields JSON pointers, `*` for each element of an array or member of an object. */
export function createFieldFilter(fields: readonly string[]): FieldFilter {
  const root: Allowed = { below: new Map(), whole: false }
  for (const field of fields) {
    let here = root
    for (const token of pointerTokens(field)) {
      const known = here.below.get(token) ?? { below: new Map(), whole: false }
      here.below.set(token, known)
      here = known
    }
    here.whole = true
  }
  return { apply: (bytes) => filter(bytes, root) }
}

/** From here to there in the text nothing stays. */
interface Cut {
  readonly start: number
  readonly end: number
}

function filter(bytes: Uint8Array, root: Allowed): Filtered {
  if (root.whole) return { bytes, removed: [] }
  const spans: Spans = new Map()
  const reading = readJson(bytes, spans)
  if (!reading.ok) return { fault: reading.fault, pointer: reading.pointer }
  if (typeof reading.value !== 'object' || reading.value === null) {
    return reading.value === null ? { bytes, removed: [] } : { fault: 'contract', pointer: '' }
  }
  const cuts: Cut[] = []
  const removed: Finding[] = []
  const visit = (value: object, allowed: readonly Allowed[], trail: readonly string[]): void => {
    const all = spans.get(value) ?? []
    const stays = all.map(({ name }) => {
      const inner = (value as Record<string, unknown>)[name]
      const next = allowed.flatMap((one) => below(one, name))
      if (next.some((one) => one.whole)) return true
      if (next.length > 0 && inner === null) return true
      if (next.length > 0 && typeof inner === 'object' && inner !== null) {
        const isNamed = allowed.some((one) => one.below.has(name))
        visit(inner, next, [...trail, isNamed ? name : '*'])
        return true
      }
      removed.push(removal(trail, name, value))
      return false
    })
    cuts.push(...cutsOf(all, stays))
  }
  visit(reading.value, [root], [])
  if (cuts.length === 0) return { bytes, removed: [] }
  return { bytes: without(decodeUtf8(bytes) ?? '', cuts), removed }
}

function below({ below: next }: Allowed, name: string): Allowed[] {
  return [next.get(name), next.get('*')].filter((one) => one !== undefined)
}

/** Names on the way are fields of the contract; the last is the sender's, and told if it looks like one. */
function removal(trail: readonly string[], name: string, parent: object): Finding {
  const last = Array.isArray(parent) ? '*' : tellableName(name)
  return { in: 'body', place: pointerOf([...trail, last]), keyword: 'contract' }
}

/** Runs of members that go, each with one of the commas around it. */
function cutsOf(all: readonly Cut[], stays: readonly boolean[]): Cut[] {
  const cuts: Cut[] = []
  for (let i = 0; i < all.length; i += 1) {
    if (stays[i]) continue
    let last = i
    while (last + 1 < all.length && !stays[last + 1]) last += 1
    const before = i === 0 ? undefined : all[i - 1]
    const after = all[last + 1]
    // The comma before goes with it, or at the beginning the one behind it.
    if (before) cuts.push({ start: before.end, end: all[last]!.end })
    else cuts.push({ start: all[i]!.start, end: after ? after.start : all[last]!.end })
    i = last
  }
  return cuts
}

function without(text: string, cuts: readonly Cut[]): Buffer {
  let kept = ''
  let from = 0
  for (const { start, end } of cuts.toSorted((a, b) => a.start - b.start)) {
    kept += text.slice(from, start)
    from = end
  }
  return Buffer.from(kept + text.slice(from), 'utf8')
}
