/** Where a message is not what its description says. Never a value of the message. */
export interface Finding {
  readonly in: 'path' | 'query' | 'header' | 'body'
  /** A JSON pointer into the body (RFC 6901), or the name of a parameter; empty: all of it. */
  readonly place: string
  /** The JSON Schema keyword, or one of ours: protocol/README.md §14. */
  readonly keyword: string
}

/** What a message was found to be. */
export interface Verdict {
  readonly findings: readonly Finding[]
  /** How many there were; more than are told. */
  readonly total: number
}

export const MAX_FINDINGS = 20
export const NO_FINDINGS: Verdict = { findings: [], total: 0 }

/** Each place and keyword once, in order; the first {@link MAX_FINDINGS} are told. */
export function verdictOf(findings: readonly Finding[]): Verdict {
  if (findings.length === 0) return NO_FINDINGS
  const distinct = [...new Map(findings.map((finding) => [wordsOf(finding), finding])).values()]
  return { findings: distinct.slice(0, MAX_FINDINGS), total: distinct.length }
}

/** One sentence a stranger may read: `2 findings: body /id type; query page minimum`. */
export function describeVerdict({ findings, total }: Verdict): string {
  const words = findings.map(wordsOf).join('; ')
  return `${total} finding${total === 1 ? '' : 's'}: ${words}${total > findings.length ? '; …' : ''}`
}

function wordsOf({ in: where, place, keyword }: Finding): string {
  return [where, place, keyword].filter((word) => word !== '').join(' ')
}

/** RFC 6901 §3. */
export function pointerToken(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}

export function pointerOf(tokens: readonly string[]): string {
  return tokens.map((token) => `/${pointerToken(token)}`).join('')
}

/** The tokens of a JSON pointer. */
export function pointerTokens(pointer: string): string[] {
  if (pointer === '') return []
  return pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/**
 * A member name that the description does not have is the sender's own word. It is told as long as it looks
 * like the name of a field; a number or a text may be a person's.
 */
export function tellableName(name: string): string {
  return /^[\p{L}_$@][\p{L}\p{M}_$@.-]{0,39}$/u.test(name) ? name : '*'
}

/** A pointer into a message in which names that are not known stand as {@link tellableName} has them. */
export function tellablePointer(pointer: string, known: ReadonlySet<string> = new Set()): string {
  const tell = (token: string): string =>
    known.has(token) || /^\d{1,6}$/.test(token) ? token : tellableName(token)
  return pointerOf(pointerTokens(pointer).map(tell))
}
