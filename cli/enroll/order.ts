import { join } from 'node:path'
import { isAltName } from '../../pki/subject-alt-name.ts'
import type { KeyKind } from '../../pki/keys.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { formatId, memberOf, readClientId, readGatewayId } from '../../protocol/identifiers.ts'
import type { Anchor } from '../../protocol/snapshot.ts'
import { ConfigError } from '../../runtime/config.ts'

export interface EnrollOptions {
  readonly authority: string
  readonly anchor: string
  readonly gateway: string
  readonly address: string
  readonly client: string[]
  readonly name: string[]
  readonly codeFile?: string
  readonly keyKind: KeyKind
  readonly dir: string
  readonly wait: number
  readonly replace?: boolean
}

/** What a gateway asks for, read from the command line and checked. */
export interface EnrollOrder {
  /** `https://HOST:PORT` of the authority's enrolment port. */
  readonly authority: string
  readonly anchor: Anchor
  readonly anchorFile: string
  readonly identity: Readonly<Record<'instance' | 'memberClass' | 'member' | 'gateway', string>>
  /** `INSTANCE/CLASS/MEMBER/GATEWAY`. */
  readonly gateway: string
  readonly member: string
  readonly address: string
  readonly clients: readonly string[]
  readonly names: readonly string[]
  readonly keyKind: KeyKind
  readonly dir: string
  readonly waitMs: number
}

/** @throws ConfigError naming the option that is not right. */
export function readOrder(
  { authority, gateway, address, client, name, keyKind, dir, wait, ...options }: EnrollOptions,
  anchor: Anchor,
): EnrollOrder {
  const identity = inOption('--gateway', () => readGatewayId(gateway))
  if (identity.instance !== anchor.instance) {
    throw new ConfigError(
      `--gateway: ${gateway} is not of the anchor's instance ${anchor.instance}`,
    )
  }
  const member = memberOf(identity)
  const names = name.length > 0 ? name : [new URL(origin('--address', address)).hostname]
  for (const text of names) {
    if (!isAltName(text)) throw new ConfigError(`--name: ${text} is no DNS name and no IP address`)
  }
  return {
    authority: origin('--authority', authority),
    anchor,
    anchorFile: options.anchor,
    identity,
    gateway: formatId(identity),
    member,
    address: origin('--address', address),
    clients: client.map((text) => clientOf(text, member)),
    names,
    keyKind,
    dir,
    waitMs: wait * 60_000,
  }
}

/** Where everything of a gateway stands below its folder. */
export function filesOf({ dir }: Pick<EnrollOrder, 'dir'>) {
  const pair = (name: string) => ({
    key: join(dir, `${name}.key`),
    request: join(dir, `${name}.csr`),
    certificate: join(dir, `${name}.pem`),
  })
  return {
    config: join(dir, 'gateway.json'),
    anchor: join(dir, 'anchor.json'),
    authentication: pair('authentication'),
    signing: pair('signing'),
  }
}

/** A subsystem of the member, by its code or by its whole identifier. */
function clientOf(text: string, member: string): string {
  const id = text.includes('/') ? text : `${member}/${text}`
  const client = inOption('--client', () => readClientId(id))
  if (client.subsystem === undefined || memberOf(client) !== member) {
    throw new ConfigError(`--client: ${id} is no subsystem of ${member}`)
  }
  return formatId(client)
}

function origin(option: string, text: string): string {
  const url = URL.parse(text)
  if (url?.protocol === 'https:' && url.href === `${url.origin}/`) return url.origin
  throw new ConfigError(`${option}: write https://HOST:PORT, without a path`)
}

function inOption<T>(option: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof ExchangeError)) throw cause
    throw new ConfigError(`${option}: ${cause.message}`, { cause })
  }
}
