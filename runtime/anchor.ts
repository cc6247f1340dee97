import type { JSONSchemaType } from 'ajv'
import type { Anchor } from '../protocol/snapshot.ts'
import { readConfig } from './config.ts'

const anchorSchema = {
  type: 'object',
  required: ['instance', 'catalogueUrl', 'keys', 'rootCertificates'],
  properties: {
    instance: { type: 'string', minLength: 1 },
    number: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
    catalogueUrl: { type: 'string', pattern: '^https://' },
    keys: { type: 'array', minItems: 1, items: { type: 'object' } },
    rootCertificates: { type: 'array', minItems: 1, items: { type: 'string' } },
  },
} as unknown as JSONSchemaType<Anchor>

/** @throws ConfigError when the file is not an anchor. */
export function readAnchor(anchorFile: string): Anchor {
  return readConfig(anchorFile, anchorSchema)
}
