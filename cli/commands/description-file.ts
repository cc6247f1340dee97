import { readFileSync } from 'node:fs'
import { ConfigError } from '../../runtime/config.ts'

/** An OpenAPI description in JSON. @throws ConfigError */
export async function readDescription(from: string): Promise<unknown> {
  try {
    const text = /^https?:/.test(from)
      ? await (await fetch(from, { signal: AbortSignal.timeout(10_000) })).text()
      : readFileSync(from, 'utf8')
    return JSON.parse(text)
  } catch (cause) {
    throw new ConfigError(`${from}: cannot be read as JSON (${(cause as Error).message})`, {
      cause,
    })
  }
}
