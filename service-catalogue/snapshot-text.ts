import { canonicalJson } from '../protocol/canonical-json.ts'
import type { Snapshot } from '../protocol/snapshot.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { readState, toService, type MemberState, type ServiceRow } from './snapshot-state.ts'

type Head = Pick<Snapshot, 'version' | 'instance' | 'number' | 'issuedAt' | 'expiresAt'>

/** Of each service the row and its text: all but a few are the same in the next snapshot. */
const texts = new WeakMap<Database, Map<string, { row: ServiceRow; text: string }>>()

/** The payload of a snapshot of the present state: the canonical JSON (RFC 8785) of a {@link Snapshot}. */
export function composeSnapshot(db: Database, head: Head): string {
  const before = texts.get(db) ?? new Map<string, { row: ServiceRow; text: string }>()
  const after: typeof before = new Map()
  texts.set(db, after)
  const textOf = (row: ServiceRow): string => {
    const known = before.get(row.id)
    const entry =
      known !== undefined && isSame(known.row, row)
        ? known
        : { row, text: canonicalJson(toService(row)) }
    after.set(row.id, entry)
    return entry.text
  }
  const { members, ...state } = readState(db)
  const parts = Object.entries({ ...head, ...state }).map(
    ([name, value]) => [name, canonicalJson(value)] as const,
  )
  return objectOf([...parts, ['members', arrayOf(members.map((m) => memberText(m, textOf)))]])
}

function memberText(
  { subsystems, ...member }: MemberState,
  textOf: (row: ServiceRow) => string,
): string {
  const texts = subsystems.map(({ services, ...subsystem }) =>
    objectOf([...canonicalParts(subsystem), ['services', arrayOf(services.map(textOf))]]),
  )
  return objectOf([...canonicalParts(member), ['subsystems', arrayOf(texts)]])
}

const canonicalParts = (value: object): [string, string][] =>
  Object.entries(value).map(([name, part]) => [name, canonicalJson(part)])

/** Of members whose values are canonical already; RFC 8785 §3.2.3 sorts by UTF-16 code units. */
function objectOf(parts: readonly (readonly [string, string])[]): string {
  const sorted = parts.toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${sorted.map(([name, text]) => `${canonicalJson(name)}:${text}`).join(',')}}`
}

const arrayOf = (texts: readonly string[]): string => `[${texts.join(',')}]`

function isSame(a: ServiceRow, b: ServiceRow): boolean {
  for (const name of Object.keys(a) as (keyof ServiceRow)[]) if (a[name] !== b[name]) return false
  return true
}

/** Bytes that the payload cannot exceed, without making it: for names and other small members some on top of each row. */
export function snapshotSizeBound(db: Database): number {
  const sums = [
    `octet_length(json_quote(code)) + octet_length(json_quote(title)) + octet_length(endpoints)
       + octet_length(coalesce(json_quote(successor), '')) + 600 FROM service`,
    `octet_length(json_quote(code)) + octet_length(json_quote(name)) + 100 FROM subsystem`,
    `octet_length(json_quote(id)) + octet_length(json_quote(name)) + 100 FROM member`,
    `octet_length(json_quote(id)) + octet_length(json_quote(address)) + 100 FROM gateway`,
    `octet_length(json_quote(client)) + 10 FROM listed_client`,
    `octet_length(json_quote(code)) + octet_length(json_quote(title)) + 100 FROM client_group`,
    `octet_length(json_quote(subject)) + octet_length(json_quote(reason)) + 200 FROM stop`,
    `octet_length(der) * 4 / 3 + 10 FROM certificate`,
    `octet_length(der) * 4 / 3 + 10 FROM authority_certificate`,
    `octet_length(der) * 4 / 3 + 10 FROM time_stamping_certificate`,
    `octet_length(json_quote(name)) + coalesce(octet_length(subjectProfile), 0) + 200 FROM authority`,
    `octet_length(json_quote(name)) + octet_length(json_quote(url)) + 100 FROM time_stamping_authority`,
    // Logs and witnesses stand in the policy
    `octet_length(vkey) + octet_length(coalesce(url, '')) + 400 FROM log_key`,
    `octet_length(vkey) * 2 + octet_length(name) * 3 + octet_length(url) + 400 FROM witness`,
  ].map((part) => {
    const at = part.lastIndexOf(' FROM ')
    return `(SELECT coalesce(sum(${part.slice(0, at)}), 0)${part.slice(at)})`
  })
  return db.get<{ bytes: number }>(`SELECT ${sums.join(' + ')} + 10000 AS bytes`)!.bytes
}
