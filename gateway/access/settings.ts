import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'
import { ExchangeError } from '../../protocol/errors.ts'
import { parseCertificate, type Certificate } from '../../pki/certificate.ts'
import { ConfigError } from '../../runtime/config.ts'
import { touchPrivate } from '../../runtime/private-file.ts'
import type { Grant } from '../exchange-state.ts'
import type { AccessRules, InformationSystems } from '../ports.ts'
import { GRANT_TABLE, openGrants } from './grants.ts'

/** Where a service of ours is reached. */
export interface Connection {
  /** `INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE`. */
  readonly service: string
  /** Base URL, http or https. */
  readonly url: string
  /** Longest wait for its answer; the gateway's default when undefined. */
  readonly timeoutMs?: number
  /**
   * PEM certificates that an https service's certificate must lead to. Without them it must be one of
   * an approved authority of the instance.
   */
  readonly caCertificates?: string
}
export interface InformationSystem {
  readonly client: string
  readonly certificate: Certificate
}

/** What the gateway's own member decides: connections, grants, information systems. */
export interface Settings extends AccessRules, InformationSystems, Disposable {
  connections(): Connection[]
  connection(service: string): Connection | undefined
  connect(connection: Connection): void
  disconnect(service: string): void
  grants(): Grant[]
  grant(grant: Grant): void
  revoke(id: string): void
  informationSystems(): InformationSystem[]
  register(client: string, certificate: Certificate): void
  unregister(client: string, thumbprint: string): void
}

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS connection (
    service TEXT PRIMARY KEY, url TEXT NOT NULL, timeoutMs INTEGER, caCertificates TEXT
  ) STRICT;
  ${GRANT_TABLE}
  CREATE TABLE IF NOT EXISTS informationSystem (
    client TEXT NOT NULL, thumbprint TEXT NOT NULL, certificate TEXT NOT NULL,
    PRIMARY KEY (client, thumbprint)
  ) STRICT;`

type Row = Record<string, SQLOutputValue>

/**
 * Opens the gateway's settings, kept in a SQLite file; a change counts from the next exchange on.
 *
 * @throws ConfigError
 */
export function openSettings(file: string): Settings {
  touchPrivate(file)
  const db = openDatabase(file)
  const all = (table: string): Row[] => db.prepare(`SELECT * FROM ${table}`).all()

  const connections = new Map(
    all('connection')
      .map(toConnection)
      .map((c) => [c.service, c]),
  )
  const grants = openGrants(db)
  const systems = new Map(
    all('informationSystem')
      .map((row) => ({
        client: String(row.client),
        certificate: parseCertificate(String(row.certificate)),
      }))
      .map((system) => [keyOf(system.client, system.certificate.thumbprint), system]),
  )
  const removed = ({ changes }: { changes: number | bigint }, what: string): void => {
    if (changes === 0) throw new ExchangeError('admin.not-found', `there is no ${what}`)
  }

  return {
    connections: () => [...connections.values()],
    connection: (service) => connections.get(service),
    connect: (connection) => {
      const { service, url, timeoutMs = null, caCertificates = null } = connection
      db.prepare('INSERT OR REPLACE INTO connection VALUES (?, ?, ?, ?)').run(
        service,
        url,
        timeoutMs,
        caCertificates,
      )
      connections.set(service, connection)
    },
    disconnect: (service) => {
      removed(
        db.prepare('DELETE FROM connection WHERE service = ?').run(service),
        `connection of ${service}`,
      )
      connections.delete(service)
    },
    grants: () => grants.all(),
    grantsFor: (service, subjects) => grants.for(service, subjects),
    grant: (grant) => grants.add(grant),
    revoke: (id) => {
      if (!grants.remove(id)) throw new ExchangeError('admin.not-found', `there is no grant ${id}`)
    },
    informationSystems: () => [...systems.values()],
    isRegistered: (client, thumbprint) => systems.has(keyOf(client, thumbprint)),
    register: (client, certificate) => {
      db.prepare('INSERT OR REPLACE INTO informationSystem VALUES (?, ?, ?)').run(
        client,
        certificate.thumbprint,
        certificate.pem,
      )
      systems.set(keyOf(client, certificate.thumbprint), { client, certificate })
    },
    unregister: (client, thumbprint) => {
      removed(
        db
          .prepare('DELETE FROM informationSystem WHERE client = ? AND thumbprint = ?')
          .run(client, thumbprint),
        `certificate ${thumbprint} of ${client}`,
      )
      systems.delete(keyOf(client, thumbprint))
    },
    [Symbol.dispose]: () => db.close(),
  }
}

function openDatabase(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { timeout: 5000 })
  try {
    db.exec(SCHEMA)
    return db
  } catch (cause) {
    db.close()
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new ConfigError(`${file}: cannot be opened as a database (${why})`, { cause })
  }
}

const keyOf = (client: string, thumbprint: string): string => `${client} ${thumbprint}`

function toConnection(row: Row): Connection {
  return {
    service: String(row.service),
    url: String(row.url),
    ...(row.timeoutMs === null ? {} : { timeoutMs: Number(row.timeoutMs) }),
    ...(typeof row.caCertificates === 'string' ? { caCertificates: row.caCertificates } : {}),
  }
}
