import { RE2JS } from 're2js'

/** A pattern that is searched for in time linear to the text. */
export interface Pattern {
  test(text: string): boolean
  /** The source: ajv tells patterns apart by it. */
  toString(): string
}

const MAX_PATTERN_LENGTH = 2000
const MAX_KEPT = 2000
const compiled = new Map<string, Pattern | string>()

/** Why a pattern is not taken; undefined when it is. */
export function patternFault(source: string): string | undefined {
  const pattern = read(source)
  return typeof pattern === 'string' ? pattern : undefined
}

/**
 * Patterns of descriptions are run by RE2, which cannot do back-references and look-around, and in which none
 * explodes (docs/decisions/0016-validation.md).
 *
 * @throws TypeError for one that {@link patternFault} has refused.
 */
export function compilePattern(source: string): Pattern {
  const pattern = read(source)
  if (typeof pattern === 'string') throw new TypeError(pattern)
  return pattern
}

function read(source: string): Pattern | string {
  const known = compiled.get(source)
  if (known !== undefined) return known
  if (compiled.size >= MAX_KEPT) compiled.clear()
  const made = make(source)
  compiled.set(source, made)
  return made
}

function make(source: string): Pattern | string {
  if (source.length > MAX_PATTERN_LENGTH) {
    return `the pattern is longer than ${MAX_PATTERN_LENGTH} characters`
  }
  try {
    const re = RE2JS.compile(RE2JS.translateRegExp(source))
    return { test: (text) => re.test(text), toString: () => source }
  } catch {
    return 'the pattern is no regular expression, or has back-references, look-around or a repetition above 1000; write it without'
  }
}
