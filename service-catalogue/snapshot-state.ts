import type {
  Endpoint,
  Snapshot,
  SnapshotAuthority,
  SnapshotGateway,
  SnapshotGroup,
  SnapshotMember,
  SnapshotService,
  SnapshotSubsystem,
  SnapshotTimeStampingAuthority,
  SubjectProfile,
} from '../protocol/snapshot.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { readStops } from './listed-stops.ts'
import { composeLogPolicy } from './log-policy.ts'
import { toLife, type LifeColumns } from './service-life.ts'

export type SnapshotState = Pick<
  Snapshot,
  'authorities' | 'gateways' | 'groups' | 'timeStampingAuthorities' | 'logPolicy' | 'stops'
> & { readonly members: MemberState[] }

/** Members with their services as they are stored: what becomes of them is mostly known from the last snapshot. */
export interface MemberState extends Omit<SnapshotMember, 'subsystems'> {
  readonly subsystems: (Omit<SnapshotSubsystem, 'services'> & { readonly services: ServiceRow[] })[]
}

export interface ServiceRow extends LifeColumns {
  id: string
  subsystem: string
  code: string
  title: string
  type: SnapshotService['type']
  endpoints: string
  descriptionDigest: string | null
  classification: string | null
  validation: NonNullable<SnapshotService['validation']> | null
}
interface Der {
  owner: string
  der: Uint8Array
}
interface Client {
  owner: string
  client: string
}

/** All that is registered, sorted, so that the same state always makes the same bytes. */
export function readState(db: Database): SnapshotState {
  const timeStampingAuthorities = readTimeStampingAuthorities(db)
  const logPolicy = composeLogPolicy(db)
  const stops = readStops(db)
  return {
    authorities: readAuthorities(db),
    members: readMembers(db),
    gateways: readGateways(db),
    groups: readGroups(db),
    ...(timeStampingAuthorities.length === 0 ? {} : { timeStampingAuthorities }),
    ...(logPolicy === undefined ? {} : { logPolicy }),
    ...(stops.length === 0 ? {} : { stops }),
  }
}

function readAuthorities(db: Database): SnapshotAuthority[] {
  const certificates = byOwner(
    db.all<Der>(
      'SELECT authority AS owner, der FROM authority_certificate ORDER BY authority, position',
    ),
  )
  return db
    .all<{ name: string; subjectProfile: string | null; ocspNonce: 'required' | 'optional' }>(
      'SELECT * FROM authority ORDER BY name',
    )
    .map(({ name, subjectProfile, ocspNonce }) => ({
      name,
      certificates: base64(certificates.get(name)),
      ...(subjectProfile === null
        ? {}
        : { subjectProfile: JSON.parse(subjectProfile) as SubjectProfile }),
      ...(ocspNonce === 'required' ? {} : { ocspNonce }),
    }))
}

function readTimeStampingAuthorities(db: Database): SnapshotTimeStampingAuthority[] {
  const certificates = byOwner(
    db.all<Der>(
      'SELECT authority AS owner, der FROM time_stamping_certificate ORDER BY authority, position',
    ),
  )
  return db
    .all<{ name: string; url: string }>(
      'SELECT name, url FROM time_stamping_authority ORDER BY place, name',
    )
    .map(({ name, url }) => ({ name, url, certificates: base64(certificates.get(name)) }))
}

function readMembers(db: Database): MemberState[] {
  const certificates = byOwner(
    db.all<Der>(
      `SELECT member AS owner, der FROM certificate WHERE member IS NOT NULL
       ORDER BY member, thumbprint`,
    ),
  )
  const services = Map.groupBy(
    db.all<ServiceRow>("SELECT * FROM service WHERE state <> 'draft' ORDER BY id"),
    ({ subsystem }) => subsystem,
  )
  const subsystems = Map.groupBy(
    db.all<{ id: string; member: string; code: string; name: string }>(
      'SELECT * FROM subsystem ORDER BY id',
    ),
    ({ member }) => member,
  )
  return db
    .all<{ id: string; name: string }>('SELECT id, name FROM member ORDER BY id')
    .map(({ id, name }) => ({
      id,
      name,
      signingCertificates: base64(certificates.get(id)),
      subsystems: (subsystems.get(id) ?? []).map(({ code, name, ...subsystem }) => ({
        code,
        name,
        services: services.get(subsystem.id) ?? [],
      })),
    }))
}

export function toService({ code, title, type, ...row }: ServiceRow): SnapshotService {
  const endpoints = JSON.parse(row.endpoints) as Endpoint[]
  const { descriptionDigest, classification, validation } = row
  return {
    code,
    title,
    type,
    endpoints,
    ...(descriptionDigest === null ? {} : { descriptionDigest }),
    ...(classification === null ? {} : { classification }),
    ...(validation === null ? {} : { validation }),
    ...toLife(row),
  }
}

function readGateways(db: Database): SnapshotGateway[] {
  const certificates = byOwner(
    db.all<Der>(
      `SELECT gateway AS owner, der FROM certificate WHERE gateway IS NOT NULL
       ORDER BY gateway, thumbprint`,
    ),
  )
  const clients = byOwner(
    db.all<Client>(
      `SELECT gateway AS owner, client FROM listed_client WHERE gateway IS NOT NULL
       ORDER BY gateway, client`,
    ),
  )
  return db
    .all<{ id: string; address: string }>('SELECT id, address FROM gateway ORDER BY id')
    .map(({ id, address }) => ({
      id,
      address,
      certificates: base64(certificates.get(id)),
      clients: (clients.get(id) ?? []).map(({ client }) => client),
    }))
}

function readGroups(db: Database): SnapshotGroup[] {
  const members = byOwner(
    db.all<Client>(
      `SELECT groupCode AS owner, client FROM listed_client WHERE groupCode IS NOT NULL
       ORDER BY groupCode, client`,
    ),
  )
  return db
    .all<{ code: string; title: string }>('SELECT code, title FROM client_group ORDER BY code')
    .map(({ code, title }) => ({
      code,
      title,
      members: (members.get(code) ?? []).map(({ client }) => client),
    }))
}

function byOwner<T extends { owner: string }>(rows: T[]): Map<string, T[]> {
  return Map.groupBy(rows, ({ owner }) => owner)
}

function base64(rows: readonly Der[] = []): string[] {
  return rows.map(({ der }) => Buffer.from(der).toString('base64'))
}
