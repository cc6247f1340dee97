import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { Ajv, type JSONSchemaType } from 'ajv'

/** Thrown before anything is opened; lists every fault at once, so that one start shows them all. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/**
 * Reads and validates a JSON configuration file. Unknown keys are faults: a misspelt option must
 * not become a silent default.
 *
 * @throws ConfigError naming the file and, for each fault, the JSON pointer of the offending value.
 */
export function readConfig<T>(file: string, schema: JSONSchemaType<T>): T {
  const validate = new Ajv({ allErrors: true, useDefaults: true }).compile(schema)
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new ConfigError(`${file}: cannot be read as JSON (${(cause as Error).message})`, {
      cause,
    })
  }
  if (validate(value)) return value
  const faults = validate.errors?.map(
    ({ instancePath, message, params }) =>
      `  ${instancePath || '/'} ${message}: ${JSON.stringify(params)}`,
  )
  throw new ConfigError(`${file} is not valid:\n${faults?.join('\n')}`)
}

/** Paths in a configuration file are relative to that file, wherever the program was started. */
export function relativeTo(configFile: string): (path: string) => string {
  return (path) => resolve(dirname(configFile), path)
}
