import { readFileSync } from 'node:fs'
import type { JSONSchemaType } from 'ajv'
import {
  exchangeLogSchema,
  type ExchangeLogConfig,
  type LogArchiveConfig,
} from '../exchange-log/config.ts'
import { isPkcs11Uri } from '../pki/pkcs11-uri.ts'
import { ConfigError, readConfig, relativeTo } from '../runtime/config.ts'

/** Where replicas count the calls of contracts together. */
export interface RedisConfig {
  /** `redis://HOST:PORT/DB`, or `rediss://` for TLS. */
  url: string
  /** Of an ACL of Redis; left out, its default user. */
  user?: string
  passwordFile?: string
  /** Certificates that Redis' own leads to, PEM; left out, those that Node knows. */
  tls?: { caFile: string }
  /** How many replicas there are: while Redis is away, each lets its share of a quota pass. */
  replicas: number
}

export interface GatewayConfig {
  /** `INSTANCE/CLASS/MEMBER/GATEWAY`, as in the subject of the authentication certificate. */
  gatewayId: string
  /** Folder for everything that the gateway keeps: log, settings, snapshot, OCSP answers, bodies. */
  stateDir: string
  /** File from the operator of the instance: the catalogue's address, keys and root certificates. */
  anchorFile: string
  /** The key and certificate that other gateways know this one by. PEM; secrets are named by path. */
  authentication: { keyFile: string; certificateFile: string }
  /** A signing key and certificate for each member that this gateway speaks for. The key may be a `pkcs11:` URI. */
  signing: { member: string; keyFile: string; certificateFile: string }[]
  /** Where certificates are renewed, by EST (RFC 7030): `https://HOST:PORT`. Left out, nothing renews them. */
  enrolment?: { url: string }
  /** File with the passphrase of the key files; else `SPEAN_GATEWAY_PASSPHRASE`. With neither they are not encrypted. */
  keyPassphraseFile?: string
  /** Ports for information systems. `httpPort` believes `X-Road-Client`; 0 leaves a port closed. */
  informationSystems: { host: string; httpPort: number; httpsPort: number }
  /** Port for other gateways. */
  peers: { host: string; port: number }
  /** Port for administration: HTTPS, bearer token in `stateDir/admin.token`. */
  admin: { host: string; port: number }
  /** Port on which anybody may read the tree of the log, and logs ask for cosignatures: HTTPS; 0 closes it. */
  transparency: {
    host: string
    port: number
    /** false: this gateway is no witness of other logs. Of replicas one is: each has a key and a memory of its own. */
    witness?: boolean
    /** How others reach it: `https://HOST:PORT`. Absent: the host that other gateways are told, and this port. */
    url?: string
  }
  timeouts: {
    /** To open a connection, in milliseconds. */
    connectMs: number
    /** For a service to begin its answer; a connection may set its own. */
    serviceMs: number
    /** For a provider gateway to begin its answer: longer than any service may take. */
    providerMs: number
    /** Longest pause within a body. */
    idleMs: number
    /** For a whole message to arrive, however slowly. */
    requestMs: number
  }
  /** Longest body in either direction. */
  maxBodyBytes: number
  /** Bodies up to this size are kept in memory, longer ones on disk. */
  bodyMemoryBytes: number
  /** Bodies on disk at one time, all together. */
  spoolMaxBytes: number
  /** Connections to each other gateway and to each service; exchanges beyond them wait `connectMs`. */
  connections: number
  /** Connections that each port takes at one time. */
  maxConnections: number
  /** Whether gateways of clients are told which checks a call would pass here: `peers` when left out, or `off`. */
  explain?: 'peers' | 'off'
  /** Shared count of quotas for replicas; left out, this gateway counts alone. */
  redis?: RedisConfig
  /** What is recorded of exchanges, where, and for how long. */
  exchangeLog: ExchangeLogConfig
  /** Age at which an OCSP answer is fetched anew: how soon a revocation is seen. */
  ocspRefreshSeconds: number
  /** How old the last good OCSP answer may get while its responder is away, in minutes. */
  ocspOutageMinutes: number
  /** Longest wait between two questions to the catalogue, which answers earlier when it changes. */
  catalogueWaitSeconds: number
  /** Time-stamps over the log. */
  timeStamping: {
    /** How often what was recorded since is stamped, with one token for all of it. */
    intervalSeconds: number
    /** Age of the oldest record without a time-stamp that is too much; a third of it is a warning. */
    limitMinutes: number
    /** Refuses exchanges at that limit, with `log.unstamped`, until there is a time-stamp. */
    refuseAtLimit: boolean
    /** Names of approved authorities in the order of trying; empty: all, in the catalogue's order. */
    authorities: string[]
  }
}

const file = { type: 'string', minLength: 1 } as const
const port = (usual: number) =>
  ({ type: 'integer', minimum: 0, maximum: 65535, default: usual }) as const
const host = { type: 'string', minLength: 1, default: '127.0.0.1' } as const
const ms = (usual: number, maximum = 3_600_000) =>
  ({ type: 'integer', minimum: 100, maximum, default: usual }) as const

// JSONSchemaType makes the compiler compare this with the interface above, field by field.
export const gatewayConfigSchema: JSONSchemaType<GatewayConfig> = {
  type: 'object',
  additionalProperties: false,
  required: ['gatewayId', 'stateDir', 'anchorFile', 'authentication', 'signing'],
  properties: {
    gatewayId: { type: 'string', pattern: '^[^/]+/[^/]+/[^/]+/[^/]+$' },
    stateDir: file,
    anchorFile: file,
    authentication: {
      type: 'object',
      additionalProperties: false,
      required: ['keyFile', 'certificateFile'],
      properties: { keyFile: file, certificateFile: file },
    },
    signing: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['member', 'keyFile', 'certificateFile'],
        properties: {
          member: { type: 'string', pattern: '^[^/]+/[^/]+/[^/]+$' },
          keyFile: file,
          certificateFile: file,
        },
      },
    },
    enrolment: {
      type: 'object',
      nullable: true,
      additionalProperties: false,
      required: ['url'],
      properties: { url: { type: 'string', pattern: '^https://[^/?#@]+$' } },
    },
    keyPassphraseFile: { ...file, nullable: true },
    informationSystems: {
      type: 'object',
      additionalProperties: false,
      required: [],
      default: { host: '127.0.0.1', httpPort: 0, httpsPort: 8443 },
      properties: { host, httpPort: port(0), httpsPort: port(8443) },
    },
    peers: {
      type: 'object',
      additionalProperties: false,
      required: [],
      default: { host: '0.0.0.0', port: 5500 },
      properties: { host: { ...host, default: '0.0.0.0' }, port: port(5500) },
    },
    admin: {
      type: 'object',
      additionalProperties: false,
      required: [],
      default: { host: '127.0.0.1', port: 4000 },
      properties: { host, port: port(4000) },
    },
    transparency: {
      type: 'object',
      additionalProperties: false,
      required: [],
      default: { host: '0.0.0.0', port: 5577 },
      properties: {
        host: { ...host, default: '0.0.0.0' },
        port: port(5577),
        witness: { type: 'boolean', nullable: true },
        url: { type: 'string', pattern: '^https://[^/?#@]+$', nullable: true },
      },
    },
    timeouts: {
      type: 'object',
      additionalProperties: false,
      required: [],
      default: {
        connectMs: 5000,
        serviceMs: 60_000,
        providerMs: 90_000,
        idleMs: 30_000,
        requestMs: 3_600_000,
      },
      properties: {
        connectMs: ms(5000),
        serviceMs: ms(60_000),
        providerMs: ms(90_000),
        idleMs: ms(30_000),
        requestMs: ms(3_600_000, 86_400_000),
      },
    },
    maxBodyBytes: { type: 'integer', minimum: 0, default: 2_147_483_648 },
    bodyMemoryBytes: { type: 'integer', minimum: 0, maximum: 67_108_864, default: 262_144 },
    spoolMaxBytes: { type: 'integer', minimum: 0, default: 17_179_869_184 },
    connections: { type: 'integer', minimum: 1, maximum: 10_000, default: 128 },
    maxConnections: { type: 'integer', minimum: 1, maximum: 1_000_000, default: 5000 },
    explain: { type: 'string', enum: ['peers', 'off'], nullable: true },
    redis: {
      type: 'object',
      nullable: true,
      additionalProperties: false,
      required: ['url'],
      properties: {
        url: { type: 'string', pattern: '^rediss?://[^/?#@]+(/\\d{1,3})?$' },
        user: { type: 'string', minLength: 1, nullable: true },
        passwordFile: { ...file, nullable: true },
        tls: {
          type: 'object',
          nullable: true,
          additionalProperties: false,
          required: ['caFile'],
          properties: { caFile: file },
        },
        replicas: { type: 'integer', minimum: 1, maximum: 100, default: 2 },
      },
    },
    exchangeLog: exchangeLogSchema,
    ocspRefreshSeconds: { type: 'integer', minimum: 1, maximum: 86_400, default: 300 },
    ocspOutageMinutes: { type: 'integer', minimum: 0, maximum: 10_080, default: 240 },
    catalogueWaitSeconds: { type: 'integer', minimum: 1, maximum: 60, default: 30 },
    timeStamping: {
      type: 'object',
      additionalProperties: false,
      required: [],
      default: { intervalSeconds: 60, limitMinutes: 240, refuseAtLimit: false, authorities: [] },
      properties: {
        intervalSeconds: { type: 'integer', minimum: 1, maximum: 3600, default: 60 },
        limitMinutes: { type: 'integer', minimum: 1, maximum: 525_600, default: 240 },
        refuseAtLimit: { type: 'boolean', default: false },
        authorities: { type: 'array', items: { type: 'string', minLength: 1 }, default: [] },
      },
    },
  },
}

/**
 * Reads a gateway's configuration; its paths become absolute.
 *
 * @throws ConfigError naming every fault.
 */
export function readGatewayConfig(configFile: string): GatewayConfig {
  const config = readConfig(configFile, gatewayConfigSchema)
  const at = relativeTo(configFile)
  const pair = <T extends { keyFile: string; certificateFile: string }>(files: T): T => ({
    ...files,
    keyFile: isPkcs11Uri(files.keyFile) ? files.keyFile : at(files.keyFile),
    certificateFile: at(files.certificateFile),
  })
  if (isPkcs11Uri(config.authentication.keyFile)) {
    throw new ConfigError(
      `${configFile}: authentication.keyFile is to be a file: TLS cannot use a key in a token`,
    )
  }
  const { keyPassphraseFile, exchangeLog, redis } = config
  const { postgresUrlFile, encryptionKey, signingKeyFile, archive } = exchangeLog
  return {
    ...config,
    ...(keyPassphraseFile === undefined ? {} : { keyPassphraseFile: at(keyPassphraseFile) }),
    stateDir: at(config.stateDir),
    ...(redis === undefined ? {} : { redis: absoluteRedis(redis, at) }),
    exchangeLog: {
      ...exchangeLog,
      ...(postgresUrlFile === undefined ? {} : { postgresUrlFile: at(postgresUrlFile) }),
      ...(archive === undefined ? {} : { archive: absoluteArchive(archive, at) }),
      ...(signingKeyFile === undefined ? {} : { signingKeyFile: at(signingKeyFile) }),
      ...(encryptionKey === undefined || isPkcs11Uri(encryptionKey)
        ? {}
        : { encryptionKey: at(encryptionKey) }),
    },
    anchorFile: at(config.anchorFile),
    authentication: pair(config.authentication),
    signing: config.signing.map(pair),
  }
}

function absoluteRedis(redis: RedisConfig, at: (path: string) => string): RedisConfig {
  const { url, passwordFile, tls } = redis
  if (tls !== undefined && !url.startsWith('rediss:')) {
    throw new ConfigError('redis.tls: is for a url that begins with rediss://')
  }
  return {
    ...redis,
    ...(passwordFile === undefined ? {} : { passwordFile: at(passwordFile) }),
    ...(tls === undefined ? {} : { tls: { caFile: at(tls.caFile) } }),
  }
}

function absoluteArchive(
  archive: LogArchiveConfig,
  at: (path: string) => string,
): LogArchiveConfig {
  const { folder, s3 } = archive
  if ((folder === undefined) === (s3 === undefined)) {
    throw new ConfigError('exchangeLog.archive: give either folder or s3')
  }
  if (s3 === undefined) return { ...archive, folder: at(folder!) }
  const ca = s3.caFile === undefined ? {} : { caFile: at(s3.caFile) }
  return { ...archive, s3: { ...s3, ...ca, credentialsFile: at(s3.credentialsFile) } }
}

/** @throws ConfigError when a certificate file cannot be read. */
export function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new ConfigError(`${path}: cannot be read (${(cause as NodeJS.ErrnoException).code})`, {
      cause,
    })
  }
}
