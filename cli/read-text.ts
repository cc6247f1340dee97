import { readFileSync } from 'node:fs'
import { ConfigError } from '../runtime/config.ts'

/** @throws ConfigError naming file and cause, without the text. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new ConfigError(`${file}: cannot be read (${code})`, { cause })
  }
}
