import {
  below,
  isObject,
  type ChangeLevel,
  type Difference,
  type JsonObject,
} from './difference.ts'

const MAX_DIFFERENCES = 500

/** A place in a description, after its references were followed: what a pointer to it says is there. */
export interface Place {
  readonly value: unknown
  readonly pointer: string
}

/** Both descriptions and what was found of them so far. */
export interface Findings {
  add(level: ChangeLevel, place: Place, text: string): void
  /** Follows `$ref` within the description; others stay as they are. */
  readonly resolveOld: (place: Place) => Place
  readonly resolveNew: (place: Place) => Place
  /** Whether the pair is compared for the first time: references may go in circles, and to one place often. */
  isFirst(before: Place, after: Place, direction: string): boolean
  all(): Difference[]
}

export function createFindings(oldDocument: JsonObject, newDocument: JsonObject): Findings {
  const found = new Map<string, Difference>()
  const visited = new Set<string>()
  return {
    add: (level, { pointer }, text) => {
      if (found.size >= MAX_DIFFERENCES && level !== 'breaking') return
      found.set(`${pointer} ${level} ${text}`, { level, pointer, text })
    },
    resolveOld: (place) => resolve(oldDocument, place),
    resolveNew: (place) => resolve(newDocument, place),
    isFirst: (before, after, direction) => {
      const key = `${direction} ${before.pointer} ${after.pointer}`
      if (visited.has(key)) return false
      visited.add(key)
      return true
    },
    all: () => [...found.values()],
  }
}

export function child(place: Place, ...tokens: (string | number)[]): Place {
  const value = tokens.reduce<unknown>(
    (at, token) =>
      (isObject(at) || Array.isArray(at)) && Object.hasOwn(at, token)
        ? (at as JsonObject)[token]
        : undefined,
    place.value,
  )
  return { value, pointer: below(place.pointer, ...tokens) }
}

const MAX_REFERENCES = 50

function resolve(document: JsonObject, place: Place): Place {
  let at = place
  for (let i = 0; i < MAX_REFERENCES; i++) {
    const { value } = at
    const ref = isObject(value) ? value.$ref : undefined
    if (typeof ref !== 'string' || !ref.startsWith('#/')) return at
    const tokens = tokensOf(ref)
    if (tokens === undefined) return at
    at = child({ value: document, pointer: '' }, ...tokens)
  }
  return at
}

function tokensOf(ref: string): string[] | undefined {
  try {
    return decodeURIComponent(ref.slice(2))
      .split('/')
      .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}
