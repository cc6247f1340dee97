/** The trust policy of the logs of all gateways (protocol/README.md §12.4), as C2SP tlog-policy writes it. */
import { ExchangeError } from '../protocol/errors.ts'
import { NoteError } from '../protocol/signed-note.ts'
import { parsePolicy } from '../protocol/tlog-policy.ts'
import type { Database } from '../runtime/sqlite-database.ts'

/** How many witnesses a checkpoint needs. */
export type WitnessQuorum =
  | { readonly quorum: 'none' }
  /** So many of these; of all that there are, when none is named. */
  | { readonly threshold: number; readonly witnesses?: readonly string[] }
  /** Lines `group` and `quorum`, as the operator wrote them. */
  | { readonly text: string }

export interface LogKeyView {
  /** `INSTANCE/CLASS/MEMBER/GATEWAY`. */
  readonly gateway: string
  /** Name of the log; also of the key. */
  readonly origin: string
  readonly vkey: string
  readonly url?: string
}
export interface WitnessView {
  /** As the quorum names it. */
  readonly name: string
  readonly vkey: string
  /** Submission prefix (C2SP tlog-witness). */
  readonly url: string
  /** Whose it is: of a gateway, of this catalogue, or of somebody else. */
  readonly of: 'gateway' | 'catalogue' | 'other'
  readonly gateway?: string
}

/** Of the group that a threshold makes. */
const GROUP = 'witnesses'

/** Keys of logs, the oldest first: those of before stay, since old evidence is verified by them. */
export function listLogKeys(db: Database): LogKeyView[] {
  return db
    .all<Omit<LogKeyView, 'url'> & { url: string | null }>(
      'SELECT gateway, origin, vkey, url FROM log_key ORDER BY gateway, position',
    )
    .map(({ url, ...key }) => ({ ...key, ...(url === null ? {} : { url }) }))
}

export function listWitnesses(db: Database): WitnessView[] {
  return db
    .all<Pick<WitnessView, 'name' | 'vkey' | 'url'> & { gateway: string | null; own: number }>(
      'SELECT * FROM witness ORDER BY name',
    )
    .map(({ name, vkey, url, gateway, own }) => ({
      name,
      vkey,
      url,
      of: own === 1 ? 'catalogue' : gateway === null ? 'other' : 'gateway',
      ...(gateway === null ? {} : { gateway }),
    }))
}

export function readQuorum(db: Database): WitnessQuorum {
  const row = db.get<{ setting: string }>('SELECT setting FROM witness_quorum')
  return row ? (JSON.parse(row.setting) as WitnessQuorum) : { quorum: 'none' }
}

export function storeQuorum(db: Database, quorum: WitnessQuorum): void {
  db.run('DELETE FROM witness_quorum')
  db.run('INSERT INTO witness_quorum VALUES (?)', JSON.stringify(quorum))
}

/** The policy as it stands in snapshots; undefined while there is neither a log nor a witness. */
export function composeLogPolicy(db: Database): string | undefined {
  const logs = listLogKeys(db)
  const witnesses = listWitnesses(db)
  if (logs.length + witnesses.length === 0) return undefined
  const lines = [
    ...logs.map(({ vkey, url }) => ['log', vkey, url ?? ''].join(' ').trimEnd()),
    ...witnesses.map(({ name, vkey, url }) => `witness ${name} ${vkey} ${url}`),
    ...quorumLines(readQuorum(db), witnesses),
  ]
  return `${lines.join('\n')}\n`
}

function quorumLines(quorum: WitnessQuorum, witnesses: readonly WitnessView[]): string[] {
  if ('text' in quorum) return [quorum.text.trimEnd()]
  if ('quorum' in quorum) return ['quorum none']
  const names = quorum.witnesses ?? witnesses.map(({ name }) => name)
  return [['group', GROUP, quorum.threshold, ...names].join(' '), `quorum ${GROUP}`]
}

/**
 * Refuses a change after which nobody could read the policy, or its quorum would need who is not there.
 *
 * @throws ExchangeError `admin.conflict`
 */
export function verifyLogPolicy(db: Database): void {
  const policy = composeLogPolicy(db)
  try {
    if (policy !== undefined) parsePolicy(policy)
  } catch (cause) {
    if (!(cause instanceof NoteError)) throw cause
    throw new ExchangeError('admin.conflict', `the log policy would be none: ${cause.message}`, {
      cause,
    })
  }
}
