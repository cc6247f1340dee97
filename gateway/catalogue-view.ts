import { ExchangeError } from '../protocol/errors.ts'
import { formatId, memberOf, type ClientId, type ServiceId } from '../protocol/identifiers.ts'
import type { SnapshotService, SnapshotStop } from '../protocol/snapshot.ts'
import type { Certificate } from '../pki/certificate.ts'

/** A gateway as the snapshot has it. */
export interface GatewayEntry {
  readonly id: string
  /** `https://HOST:PORT`. */
  readonly address: string
  /** Its registered authentication certificates, by thumbprint. */
  readonly certificates: ReadonlyMap<string, Certificate>
  /** Members and subsystems it speaks for. */
  readonly clients: ReadonlySet<string>
}

/** Whom a gateway may ask for time-stamps (protocol/README.md §7.6). */
export interface TimeStampingAuthorityEntry {
  readonly name: string
  readonly url: string
  /** What its signing certificate is, or leads to. */
  readonly certificates: readonly Certificate[]
}

/** One verified snapshot, indexed. Immutable: an exchange uses one from beginning to end. */
export interface CatalogueView {
  readonly number: number
  readonly instance: string
  readonly issuedAt: Date
  readonly expiresAt: Date
  /** In the order in which they are tried. */
  readonly timeStampingAuthorities: readonly TimeStampingAuthorityEntry[]
  isRegistered(client: ClientId): boolean
  gateway(id: string): GatewayEntry | undefined
  gatewayByCertificate(thumbprint: string): GatewayEntry | undefined
  /** Gateways that speak for a subsystem. */
  gatewaysOf(subsystem: string): readonly GatewayEntry[]
  /** The services of a subsystem; undefined when there is no such subsystem. */
  servicesOf(subsystem: string): readonly SnapshotService[] | undefined
  service(id: ServiceId): SnapshotService | undefined
  signingCertificate(member: string, thumbprint: string): Certificate | undefined
  /** Codes of the groups that a client is in, by itself or by its member. */
  groupsOf(client: ClientId): readonly string[]
  /** What the operator stopped of `subjects`, which are members, subsystems, services in decoded form. */
  stopOf(subjects: readonly string[]): SnapshotStop | undefined
  /** For `listClients`. */
  clients(): readonly {
    readonly id: ClientId
    readonly name: string
    readonly memberName: string
  }[]
}

/** The names under which a grant may mean a client: its own, its member's, its groups'. */
export function grantSubjects(client: ClientId, catalogue: CatalogueView): string[] {
  const groups = catalogue.groupsOf(client).map((code) => `group:${code}`)
  return [formatId(client), memberOf(client), ...groups]
}

/**
 * Refuses a call of what the operator stopped, or to it (protocol/README.md §13.6).
 *
 * @throws ExchangeError `access.stopped` with since when, and why.
 */
export function verifyNotStopped(
  catalogue: CatalogueView,
  client: ClientId,
  { service: code, ...provider }: ServiceId,
): void {
  const service = formatId({ ...provider, service: code })
  const parties = [formatId(client), memberOf(client), formatId(provider), memberOf(provider)]
  const stop = catalogue.stopOf([...parties, service])
  if (stop === undefined) return
  const { subject, since, reason } = stop
  throw new ExchangeError('access.stopped', `${subject} is stopped since ${since}: ${reason}`)
}
