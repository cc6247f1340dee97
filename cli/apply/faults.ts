/** One thing that is wrong in a file of wanted state. */
export interface Fault {
  /** `FILE:LINE:COLUMN`, or the file alone when it could not be read. */
  readonly place: string
  readonly text: string
}

const SHOWN = 100

/** Files of wanted state that cannot be used: every fault, each with its place. Nothing was changed. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError'
  readonly faults: readonly Fault[]

  constructor(faults: readonly Fault[]) {
    const shown = faults.slice(0, SHOWN).map(({ place, text }) => `${place}: ${text}`)
    const more = faults.length - shown.length
    super([...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('\n'))
    this.faults = faults
  }
}

/** A plan that cannot be carried out, or was not as a whole. */
export class ApplyError extends Error {
  override readonly name = 'ApplyError'
}

/** The name among these that was probably meant; undefined when none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const far = Math.max(2, Math.floor(name.length / 3))
  const [best] = known
    .map((each) => ({ each, distance: distance(name.toLowerCase(), each.toLowerCase()) }))
    .filter((found) => found.distance <= far)
    .toSorted((a, b) => a.distance - b.distance)
  return best?.each
}

/** Letters to change, add or leave out (Levenshtein). */
function distance(one: string, other: string): number {
  // Long names are nobody's slip of the finger
  if (Math.max(one.length, other.length) > 100) return 100
  let row = Array.from({ length: other.length + 1 }, (_, i) => i)
  for (let i = 0; i < one.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < other.length; j++) {
      const change = row[j]! + (one[i] === other[j] ? 0 : 1)
      next.push(Math.min(change, row[j + 1]! + 1, next[j]! + 1))
    }
    row = next
  }
  return row[other.length]!
}
