import type { JSONSchemaType } from 'ajv'
import { ExchangeError } from '../protocol/errors.ts'
import { checkPart } from '../protocol/identifiers.ts'
import { ConfigError, readConfig, relativeTo } from '../runtime/config.ts'
import { identityProvidersSchema, type IdentityProviderConfig } from './identity-provider-config.ts'

export interface CatalogueConfig {
  /** First part of every identifier: `KH-DEV`. It cannot change once something is registered. */
  instance: string
  /** Folder of the database, the snapshot key, the admin token and the anchor. */
  stateDir: string
  host: string
  /** HTTPS; 0 lets the system choose. */
  port: number
  /** PEM chain, the server's own certificate first. Read again when it changes. */
  tlsCertificateFile: string
  /** PEM, readable by its owner only. */
  tlsKeyFile: string
  /** PEM certificates that the HTTPS certificate leads to; they become part of the anchor. */
  rootCertificateFile: string
  /** How long gateways work on without hearing from the catalogue. */
  snapshotLifetimeHours: number
  /** Where gateways reach the catalogue; `https://host:port` when left out. */
  publicUrl?: string
  memberClasses: string[]
  /**
   * Who may register certificates by itself, shown by a good one of an approved authority: `open` is every
   * gateway of a member, also a new one; `approval` a new one when the operator has approved it;
   * `known-gateways` only those that an administrator registered.
   */
  registration: 'open' | 'approval' | 'known-gateways'
  /** Whose tokens are taken of people who administer: nobody's when left out. */
  identityProviders?: IdentityProviderConfig[]
  /** How long before it takes effect consumers hear of a breaking change or of the end of a service. */
  changeNoticeDays?: number
  /** Whether webhooks may be sent to private addresses too; they lead to what only the catalogue reaches. */
  webhooksToPrivateAddresses?: boolean
}
export const CHANGE_NOTICE_DAYS = 30

const file = { type: 'string', minLength: 1 } as const

export const catalogueConfigSchema: JSONSchemaType<CatalogueConfig> = {
  type: 'object',
  additionalProperties: false,
  required: [
    'instance',
    'stateDir',
    'port',
    'tlsCertificateFile',
    'tlsKeyFile',
    'rootCertificateFile',
  ],
  properties: {
    instance: { type: 'string', minLength: 1 },
    stateDir: file,
    host: { type: 'string', minLength: 1, default: '127.0.0.1' },
    port: { type: 'integer', minimum: 0, maximum: 65535 },
    tlsCertificateFile: file,
    tlsKeyFile: file,
    rootCertificateFile: file,
    snapshotLifetimeHours: { type: 'number', exclusiveMinimum: 0, maximum: 720, default: 24 },
    publicUrl: { type: 'string', pattern: '^https://[^/?#@]+$', nullable: true },
    memberClasses: {
      type: 'array',
      items: { type: 'string', minLength: 1 },
      minItems: 1,
      uniqueItems: true,
      default: ['GOV', 'COM', 'ORG'],
    },
    registration: { type: 'string', enum: ['open', 'approval', 'known-gateways'], default: 'open' },
    identityProviders: { ...identityProvidersSchema, nullable: true },
    changeNoticeDays: {
      type: 'number',
      minimum: 0,
      maximum: 3650,
      default: CHANGE_NOTICE_DAYS,
      nullable: true,
    },
    webhooksToPrivateAddresses: { type: 'boolean', default: false, nullable: true },
  },
}

/**
 * Reads the configuration; its paths come back absolute.
 *
 * @throws ConfigError naming every fault.
 */
export function readCatalogueConfig(configFile: string): CatalogueConfig {
  const config = readConfig<CatalogueConfig>(configFile, catalogueConfigSchema)
  for (const part of [config.instance, ...config.memberClasses]) refuseBadPart(configFile, part)
  const absolute = relativeTo(configFile)
  const { identityProviders } = config
  const inPlace = ({ caFile, ...provider }: IdentityProviderConfig): IdentityProviderConfig =>
    caFile === undefined ? provider : { ...provider, caFile: absolute(caFile) }
  return {
    ...config,
    stateDir: absolute(config.stateDir),
    tlsCertificateFile: absolute(config.tlsCertificateFile),
    tlsKeyFile: absolute(config.tlsKeyFile),
    rootCertificateFile: absolute(config.rootCertificateFile),
    ...(identityProviders ? { identityProviders: identityProviders.map(inPlace) } : {}),
  }
}

function refuseBadPart(configFile: string, part: string): void {
  try {
    checkPart(part)
  } catch (cause) {
    if (!(cause instanceof ExchangeError)) throw cause
    throw new ConfigError(
      `${configFile}: ${JSON.stringify(part)} in instance or memberClasses: ${cause.message}`,
      { cause },
    )
  }
}
