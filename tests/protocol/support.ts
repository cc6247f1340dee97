import { readFileSync } from 'node:fs'

/** A text in a vector; long ones are written in pieces (protocol/README.md §10). */
export type VectorText = string | Repeated | (string | Repeated)[]
interface Repeated {
  readonly repeat: string
  readonly times: number
}

export function expand(text: VectorText): string {
  if (typeof text === 'string') return text
  return Array.isArray(text) ? text.map(expand).join('') : text.repeat.repeat(text.times)
}

/** The vectors are the language-neutral truth: another implementation must pass the same file. */
export function readVectors<T>(name: string): T {
  const file = new URL(`../vectors/${name}.json`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')) as T
}

/** What `run` returns, or the code of its refusal; anything else thrown fails the test. */
export function outcome<T>(run: () => T): { value: T } | { code: string } {
  try {
    return { value: run() }
  } catch (error) {
    return { code: codeOf(error) }
  }
}

export function codeOf(error: unknown): string {
  if (error instanceof Error && error.name === 'ExchangeError') {
    return (error as Error & { code: string }).code
  }
  throw error
}

/** Every section of the protocol text, by its heading. */
export function protocolText(): string {
  return readFileSync(new URL('../../protocol/README.md', import.meta.url), 'utf8')
}
