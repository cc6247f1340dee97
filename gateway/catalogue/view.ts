import { formatId, memberOf, readClientId, type ClientId } from '../../protocol/identifiers.ts'
import { NoteError } from '../../protocol/signed-note.ts'
import { parsePolicy, type TlogPolicy } from '../../protocol/tlog-policy.ts'
import type {
  Snapshot,
  SnapshotAuthority,
  SnapshotMember,
  SnapshotService,
  SubjectProfile,
} from '../../protocol/snapshot.ts'
import { parseCertificate, type Certificate } from '../../pki/certificate.ts'
import type { CatalogueView, GatewayEntry } from '../catalogue-view.ts'

/** An approved authority, and the terms that hold for the certificates below it. */
export interface ApprovedAuthority {
  readonly name: string
  /** Where a path ends. */
  readonly anchor: Certificate
  readonly intermediates: readonly Certificate[]
  /** Undefined: it writes subjects as our own authority does (protocol/README.md §7.5). */
  readonly subjectProfile?: SubjectProfile
  /** Whether answers of its OCSP responder must repeat the nonce (RFC 9654). */
  readonly ocspNonce: 'required' | 'optional'
}

export interface IndexedSnapshot extends CatalogueView {
  readonly authorities: readonly ApprovedAuthority[]
  /** First certificate of each approved authority. */
  readonly anchors: readonly Certificate[]
  readonly intermediates: readonly Certificate[]
  /** Whose checkpoints count, and with whose cosignatures; undefined: nothing is said, or nothing that can be read. */
  readonly logPolicy: { readonly text: string; readonly policy: TlogPolicy } | undefined
  /** Why there is none, although the snapshot has one. */
  readonly logPolicyFault: string | undefined
}

/**
 * Indexes a verified snapshot, so that a step finds what it needs without a search.
 *
 * @throws CertificateError, ExchangeError when the catalogue signed something unreadable.
 */
export function indexSnapshot(snapshot: Snapshot): IndexedSnapshot {
  const authorities = snapshot.authorities.flatMap(readAuthority)
  const gateways = new Map<string, GatewayEntry>(
    snapshot.gateways.map(({ id, address, certificates, clients }) => [
      id,
      { id, address, certificates: byThumbprint(certificates), clients: new Set(clients) },
    ]),
  )
  const byCertificate = new Map<string, GatewayEntry>()
  const bySubsystem = new Map<string, GatewayEntry[]>()
  for (const gateway of gateways.values()) {
    for (const thumbprint of gateway.certificates.keys()) byCertificate.set(thumbprint, gateway)
    for (const client of gateway.clients) {
      const others = bySubsystem.get(client)
      if (others) others.push(gateway)
      else bySubsystem.set(client, [gateway])
    }
  }
  const members = indexMembers(snapshot.members)
  const groups = indexGroups(snapshot)
  const stops = new Map((snapshot.stops ?? []).map((stop) => [stop.subject, stop]))
  return {
    number: snapshot.number,
    instance: snapshot.instance,
    issuedAt: new Date(snapshot.issuedAt),
    expiresAt: new Date(snapshot.expiresAt),
    authorities,
    anchors: authorities.map(({ anchor }) => anchor),
    intermediates: authorities.flatMap(({ intermediates }) => intermediates),
    timeStampingAuthorities: (snapshot.timeStampingAuthorities ?? []).map(
      ({ name, url, certificates }) => ({ name, url, certificates: certificates.map(read) }),
    ),
    ...readLogPolicy(snapshot),
    isRegistered: (client) => members.known.has(formatId(client)),
    gateway: (id) => gateways.get(id),
    gatewayByCertificate: (thumbprint) => byCertificate.get(thumbprint),
    gatewaysOf: (subsystem) => bySubsystem.get(subsystem) ?? [],
    servicesOf: (subsystem) => members.services.get(subsystem),
    service: ({ service: code, ...subsystem }) =>
      members.byCode.get(formatId(subsystem))?.get(code),
    signingCertificate: (member, thumbprint) => members.signing.get(member)?.get(thumbprint),
    groupsOf: (client) => [
      ...(groups.get(formatId(client)) ?? []),
      ...(client.subsystem === undefined ? [] : (groups.get(memberOf(client)) ?? [])),
    ],
    clients: () => members.clients,
    stopOf: (subjects) => {
      if (stops.size === 0) return undefined
      return subjects.flatMap((subject) => stops.get(subject) ?? [])[0]
    },
  }
}

function readAuthority(authority: SnapshotAuthority): ApprovedAuthority[] {
  const { name, certificates, subjectProfile, ocspNonce = 'required' } = authority
  const [anchor, ...intermediates] = certificates.map(read)
  if (anchor === undefined) return []
  const profile = subjectProfile === undefined ? {} : { subjectProfile }
  return [{ name, anchor, intermediates, ...profile, ocspNonce }]
}

/** What cannot be read stops no exchange: gateways tell of logs without cosignatures by themselves. */
function readLogPolicy({
  logPolicy: text,
}: Snapshot): Pick<IndexedSnapshot, 'logPolicy' | 'logPolicyFault'> {
  if (text === undefined) return { logPolicy: undefined, logPolicyFault: undefined }
  try {
    return { logPolicy: { text, policy: parsePolicy(text) }, logPolicyFault: undefined }
  } catch (error) {
    if (error instanceof NoteError) return { logPolicy: undefined, logPolicyFault: error.message }
    throw error
  }
}

const read = (base64: string): Certificate => parseCertificate(Buffer.from(base64, 'base64'))

function byThumbprint(certificates: readonly string[]): Map<string, Certificate> {
  return new Map(certificates.map(read).map((certificate) => [certificate.thumbprint, certificate]))
}

interface Members {
  /** Members and subsystems. */
  readonly known: Set<string>
  readonly services: Map<string, readonly SnapshotService[]>
  /** By subsystem, then by code; of two with one code the first counts. */
  readonly byCode: Map<string, ReadonlyMap<string, SnapshotService>>
  readonly signing: Map<string, Map<string, Certificate>>
  readonly clients: { id: ClientId; name: string; memberName: string }[]
}

function indexMembers(members: readonly SnapshotMember[]): Members {
  const index: Members = {
    known: new Set(),
    services: new Map(),
    byCode: new Map(),
    signing: new Map(),
    clients: [],
  }
  for (const member of members) {
    index.known.add(member.id)
    index.signing.set(member.id, byThumbprint(member.signingCertificates))
    index.clients.push({ id: readClientId(member.id), name: member.name, memberName: member.name })
    for (const subsystem of member.subsystems) {
      const id = `${member.id}/${subsystem.code}`
      index.known.add(id)
      index.services.set(id, subsystem.services)
      index.byCode.set(id, new Map(subsystem.services.toReversed().map((s) => [s.code, s])))
      const client = readClientId(id)
      index.clients.push({ id: client, name: subsystem.name, memberName: member.name })
    }
  }
  return index
}

function indexGroups({ groups }: Snapshot): Map<string, string[]> {
  const index = new Map<string, string[]>()
  for (const { code, members } of groups) {
    for (const member of members) {
      const others = index.get(member)
      if (others) others.push(code)
      else index.set(member, [code])
    }
  }
  return index
}
