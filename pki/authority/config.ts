import type { JSONSchemaType } from 'ajv'
import { DURATION_PATTERN } from '../../runtime/duration.ts'
import type { KeyKind } from '../keys.ts'
import { DEFAULT_ACCURACY_MS, DEFAULT_POLICY } from './time-stamping.ts'

export interface AuthorityConfig {
  /** Instance this authority serves; O of every subject. */
  instance: string
  /** Folder of keys, certificates, token and database, relative to the configuration file. */
  stateDir: string
  /** Address all ports are bound to. */
  host: string
  /** Plain HTTP: revocation states, time-stamps and the certificates of the authority. 0 lets the system choose. */
  publicPort: number
  /** HTTPS: issuing and revoking. */
  adminPort: number
  /** HTTPS: enrolment and renewal by EST (RFC 7030). */
  estPort: number
  /** What relying parties reach publicPort at; written into every certificate. Default http://host:publicPort; needed when host is 0.0.0.0 or ::. */
  publicUrl?: string
  /** What gateways reach estPort at. Default https://, the host of publicUrl, and estPort. */
  estUrl?: string
  /** Kind of the authority's own keys. */
  keyKind: KeyKind
  /** File that holds the passphrase of the key files; else SPEAN_AUTHORITY_PASSPHRASE. With neither, keys are not encrypted. */
  keyPassphraseFile?: string
  /** Where keys are that are not files of stateDir: a file, or an RFC 7512 pkcs11: URI. */
  keys?: {
    root?: string
    authentication?: string
    signing?: string
    /** Of the OCSP responders of the two issuing authorities. */
    ocspAuthentication?: string
    ocspSigning?: string
    timeStamping?: string
  }
  /** Longest lives of what is issued on request: 730d, 12h, 30m, 30s. */
  lifetimes: {
    /** Of gateways, for TLS. */
    authentication: string
    /** Of members, for messages. */
    signing: string
    informationSystem: string
    /** Of catalogue and authority. */
    server: string
  }
  /** How long a revocation state may be relied on; the answer to a cache is shorter. */
  ocspValidityMinutes: number
  /** How long a revocation list may be relied on. */
  crlHours: number
  /** Age at which a revocation list is issued anew: how soon a revocation stands in it. */
  crlIntervalMinutes: number
  /** Asks the operator about each enrolment, the right code or not: spean ca request. */
  approval: boolean
  timeStamping: {
    /** Object identifier that each time-stamp names (RFC 3161 §2.4.2). */
    policy: string
    /** How far a time may be off, as each time-stamp says it. */
    accuracyMs: number
  }
}

const port = (fallback: number) =>
  ({ type: 'integer', minimum: 0, maximum: 65_535, default: fallback }) as const
const keyPlace = { type: 'string', minLength: 1, nullable: true } as const
const lifetime = (fallback: string) =>
  ({ type: 'string', pattern: DURATION_PATTERN, default: fallback }) as const

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
    estPort: port(5582),
    publicUrl: { type: 'string', pattern: '^http://[\\x21-\\x7e]+[^/]$', nullable: true },
    estUrl: { type: 'string', pattern: '^https://[\\x21-\\x7e]+[^/]$', nullable: true },
    keyKind: {
      type: 'string',
      enum: ['P-256', 'P-384', 'RSA-2048', 'RSA-3072', 'RSA-4096'],
      default: 'P-256',
    },
    keyPassphraseFile: { type: 'string', minLength: 1, nullable: true },
    keys: {
      type: 'object',
      additionalProperties: false,
      required: [],
      nullable: true,
      properties: {
        root: keyPlace,
        authentication: keyPlace,
        signing: keyPlace,
        ocspAuthentication: keyPlace,
        ocspSigning: keyPlace,
        timeStamping: keyPlace,
      },
    },
    lifetimes: {
      type: 'object',
      additionalProperties: false,
      required: [],
      default: {
        authentication: '730d',
        signing: '730d',
        informationSystem: '730d',
        server: '730d',
      },
      properties: {
        authentication: lifetime('730d'),
        signing: lifetime('730d'),
        informationSystem: lifetime('730d'),
        server: lifetime('730d'),
      },
    },
    ocspValidityMinutes: { type: 'integer', minimum: 1, maximum: 10_080, default: 240 },
    crlHours: { type: 'integer', minimum: 1, maximum: 8760, default: 24 },
    crlIntervalMinutes: { type: 'integer', minimum: 1, maximum: 10_080, default: 60 },
    approval: { type: 'boolean', default: false },
    timeStamping: {
      type: 'object',
      additionalProperties: false,
      required: [],
      default: { policy: DEFAULT_POLICY, accuracyMs: DEFAULT_ACCURACY_MS },
      properties: {
        policy: {
          type: 'string',
          pattern: '^[0-2](\\.(0|[1-9][0-9]{0,38})){1,20}$',
          default: DEFAULT_POLICY,
        },
        accuracyMs: { type: 'integer', minimum: 1, maximum: 60_000, default: DEFAULT_ACCURACY_MS },
      },
    },
  },
}

/** The same with every path as `at` makes it; a pkcs11: URI is none. */
export function resolvePaths(
  config: AuthorityConfig,
  at: (path: string) => string,
): AuthorityConfig {
  const { stateDir, keyPassphraseFile, keys } = config
  const places = Object.entries(keys ?? {}).map(([name, place]) => [
    name,
    place.startsWith('pkcs11:') ? place : at(place),
  ])
  return {
    ...config,
    stateDir: at(stateDir),
    ...(keyPassphraseFile === undefined ? {} : { keyPassphraseFile: at(keyPassphraseFile) }),
    ...(keys === undefined ? {} : { keys: Object.fromEntries(places) as typeof keys }),
  }
}
