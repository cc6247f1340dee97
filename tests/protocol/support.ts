import { readFileSync } from 'node:fs'
import { NoteError } from '../../protocol/signed-note.ts'

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

/** What it returns; undefined when it refuses with NoteError, and nothing else may be thrown. */
export function unlessNoteError<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof NoteError) return undefined
    throw error
  }
}
