import type { JSONSchemaType } from 'ajv'
import type { KeyKind } from '../keys.ts'

export interface AuthorityConfig {
  /** Instance this authority serves; O of every subject. */
  instance: string
  /** Folder of keys, certificates, token and database, relative to the configuration file. */
  stateDir: string
  /** Address both ports are bound to. */
  host: string
  /** Plain HTTP: revocation states and the certificates of the authority. 0 lets the system choose. */
  publicPort: number
  /** HTTPS: issuing and revoking. */
  adminPort: number
  /** What relying parties reach publicPort at; written into every certificate. Default http://host:publicPort. */
  publicUrl?: string
  /** Kind of the authority's own keys. */
  keyKind: KeyKind
  /** Longest life of a certificate issued on request. */
  leafValidityDays: number
  /** How long a revocation state may be relied on; the answer to a cache is shorter. */
  ocspValidityMinutes: number
}

const port = (fallback: number) =>
  ({ type: 'integer', minimum: 0, maximum: 65_535, default: fallback }) as const

// JSONSchemaType makes the compiler compare this with the interface above, field by field.
export const authorityConfigSchema: JSONSchemaType<AuthorityConfig> = {
  type: 'object',
  additionalProperties: false,
  required: ['instance', 'stateDir'],
  properties: {
    instance: { type: 'string', minLength: 1, maxLength: 64, pattern: '^[^/]+$' },
    stateDir: { type: 'string', minLength: 1 },
    host: { type: 'string', minLength: 1, default: '127.0.0.1' },
    publicPort: port(5580),
    adminPort: port(5581),
    publicUrl: { type: 'string', pattern: '^http://[\\x21-\\x7e]+[^/]$', nullable: true },
    keyKind: {
      type: 'string',
      enum: ['P-256', 'P-384', 'RSA-2048', 'RSA-3072', 'RSA-4096'],
      default: 'P-256',
    },
    leafValidityDays: { type: 'integer', minimum: 1, maximum: 3650, default: 730 },
    ocspValidityMinutes: { type: 'integer', minimum: 10, maximum: 10_080, default: 240 },
  },
}
