import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { JSONSchemaType } from 'ajv'
import { createApiClient, type ApiClient } from '../runtime/api-client.ts'
import { ConfigError, readConfig, relativeTo } from '../runtime/config.ts'
import { readPrivateFile } from '../runtime/private-file.ts'

export interface Endpoint {
  url: string
  tokenFile: string
}
export interface CatalogueEndpoint {
  url: string
  /** One of both: the program's own token, or an API key of the catalogue. */
  tokenFile?: string
  apiKeyFile?: string
}
export interface GatewayEndpoint extends Endpoint {
  /** The token is an auditor's; else the administrator's. */
  role?: 'auditor'
}
/** Where the programs are that a person administers: paths are relative to the file. */
export interface Profile {
  instance: string
  /** PEM root of the instance. */
  caFile: string
  catalogue?: CatalogueEndpoint
  authority?: Endpoint
  /** By a short name of the operator's choice. */
  gateways: Record<string, GatewayEndpoint>
}

const endpoint = {
  type: 'object',
  additionalProperties: false,
  required: ['url', 'tokenFile'],
  properties: { url: { type: 'string' }, tokenFile: { type: 'string' } },
} as const
const schema: JSONSchemaType<Profile> = {
  type: 'object',
  additionalProperties: false,
  required: ['instance', 'caFile', 'gateways'],
  properties: {
    instance: { type: 'string' },
    caFile: { type: 'string' },
    catalogue: {
      type: 'object',
      additionalProperties: false,
      required: ['url'],
      properties: {
        url: { type: 'string' },
        tokenFile: { type: 'string', nullable: true },
        apiKeyFile: { type: 'string', nullable: true },
      },
      nullable: true,
    },
    authority: { ...endpoint, nullable: true },
    gateways: {
      type: 'object',
      required: [],
      additionalProperties: {
        ...endpoint,
        properties: {
          ...endpoint.properties,
          role: { type: 'string', enum: ['auditor'], nullable: true },
        },
      },
    },
  },
}

export interface OpenProfile {
  readonly instance: string
  readonly gatewayNames: readonly string[]
  /** Members have neither of these: the operator has. */
  readonly hasCatalogue: boolean
  readonly hasAuthority: boolean
  /** PEM root of the instance, absolute path. */
  readonly caFile: string
  readonly catalogueUrl: string | undefined
  catalogue(options?: AskOptions): ApiClient
  authority(): ApiClient
  /** @param name undefined: the only one there is. */
  gateway(name: string | undefined, options?: AskOptions): ApiClient
  /** Whether the token for a gateway is an auditor's. */
  isAuditor(name: string | undefined): boolean
}
type AskOptions = Pick<Parameters<typeof createApiClient>[0], 'answerMs' | 'onChange'>

/**
 * Opens the profile named by `--profile` or `SPEAN_PROFILE`, else `.spean/spean.json` of this folder
 * or one above it.
 *
 * @throws ConfigError saying how to make one.
 */
export function openProfile(named: string | undefined): OpenProfile {
  const file = resolve(named ?? process.env.SPEAN_PROFILE ?? findProfile(process.cwd()))
  const profile = readConfig(file, schema)
  const at = relativeTo(file)
  const open = (
    target: Endpoint | undefined,
    what: string,
    options: AskOptions = {},
  ): ApiClient => {
    if (target === undefined) throw new ConfigError(`${file} names no ${what}`)
    const ca = readRoot(at(profile.caFile))
    return createApiClient({
      url: target.url,
      token: readPrivateFile(at(target.tokenFile)).trim(),
      ca,
      ...options,
    })
  }
  const gatewayNames = Object.keys(profile.gateways)
  const choose = (name: string | undefined): string => {
    const only = gatewayNames.length === 1 ? gatewayNames[0] : undefined
    const chosen = name ?? process.env.SPEAN_GATEWAY ?? only
    if (chosen === undefined) {
      throw new ConfigError(`which gateway? --gateway ${gatewayNames.join(' | ')}`)
    }
    if (Object.hasOwn(profile.gateways, chosen)) return chosen
    throw new ConfigError(`no gateway ${chosen} in ${file}; there is ${gatewayNames.join(', ')}`)
  }
  return {
    instance: profile.instance,
    gatewayNames,
    hasCatalogue: profile.catalogue !== undefined,
    hasAuthority: profile.authority !== undefined,
    caFile: at(profile.caFile),
    catalogueUrl: profile.catalogue?.url,
    catalogue: (options) =>
      open(profile.catalogue && withToken(file, profile.catalogue), 'catalogue', options),
    authority: () => open(profile.authority, 'authority'),
    gateway: (name, options) => {
      const chosen = choose(name)
      return open(profile.gateways[chosen], `gateway ${chosen}`, options)
    },
    isAuditor: (name) => profile.gateways[choose(name)]?.role === 'auditor',
  }
}

function withToken(file: string, { url, tokenFile, apiKeyFile }: CatalogueEndpoint): Endpoint {
  const given = tokenFile ?? apiKeyFile
  if (given !== undefined && (tokenFile === undefined || apiKeyFile === undefined)) {
    return { url, tokenFile: given }
  }
  throw new ConfigError(`${file}: catalogue has either tokenFile or apiKeyFile`)
}

function readRoot(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new ConfigError(`${file}: cannot be read (${code})`, { cause })
  }
}

function findProfile(from: string): string {
  const file = join(from, '.spean', 'spean.json')
  if (existsSync(file)) return file
  if (dirname(from) !== from) return findProfile(dirname(from))
  throw new ConfigError(
    'no .spean/spean.json here or above; start the sandbox (npm start), or name a profile: --profile FILE',
  )
}
