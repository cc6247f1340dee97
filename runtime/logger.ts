import { pino, type Logger } from 'pino'

export type { Logger } from 'pino'

/** Values that never reach a log line, whoever passes them. */
const REDACTED = [
  'authorization',
  'headers.authorization',
  'req.headers.authorization',
  'req.headers.cookie',
  'privateKey',
  '*.privateKey',
  'token',
  '*.token',
  'passphrase',
  '*.passphrase',
]

/** @param name the program, as in its configuration: `gateway KH-DEV/GOV/MOI/MOI-1`. */
export function createLogger(
  name: string,
  level: string = process.env.LOG_LEVEL ?? 'info',
): Logger {
  return pino({ name, level, base: { name }, redact: REDACTED })
}
