import { ConfigError } from './config.ts'

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** For JSON schemas: a number and its unit, as in `30s`, `15m`, `12h`, `730d`. */
export const DURATION_PATTERN = '^[1-9][0-9]{0,6}[smhd]$'

/**
 * Milliseconds of a text such as `730d`.
 *
 * @throws ConfigError
 */
export function parseDuration(text: string): number {
  if (!new RegExp(DURATION_PATTERN).test(text)) {
    throw new ConfigError(`${text}: write a duration as 30s, 15m, 12h or 730d`)
  }
  return Number(text.slice(0, -1)) * UNIT_MS[text.at(-1) as keyof typeof UNIT_MS]
}
