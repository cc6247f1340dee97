import type { Contract, ContractStatement } from '../../protocol/contract.ts'
import {
  formatDocument,
  isSignedByAll,
  joinSignatures,
  parseDocument,
  type ContractHeader,
  type SignedDocument,
} from '../../protocol/contract-jws.ts'
import { openSqliteDatabase, setVersion, type Database } from '../../runtime/sqlite-database.ts'
import { CONTRACT_INDEX, openContractIndex } from './contract-index.ts'

/** A contract, offer or request, and what was said of it. */
export interface HeldContract {
  readonly digest: string
  readonly content: Contract
  readonly signers: readonly ContractSigner[]
  /** By all who have to. */
  readonly isAgreed: boolean
  /** Whether the catalogue has it as it is here; else it is still to be handed in. */
  readonly isHandedIn: boolean
  /** Why the catalogue did not take it. */
  readonly fault?: string
  readonly statement?: HeldStatement
}
export interface ContractSigner {
  readonly member: string
  readonly signedAt: Date
}
export interface HeldStatement {
  readonly kind: ContractStatement['kind']
  readonly reason: string
  readonly by: string
  readonly at: Date
}

/**
 * The gateway's own store of verified documents: durable when a call returns, and found by an index, the ones used
 * last from memory. Signatures are only ever added, and a refusal or revocation is never forgotten.
 */
export interface ContractStore extends Disposable {
  /** In the order in which they came. */
  all(): Iterable<HeldContract>
  byDigest(digest: string): HeldContract | undefined
  /** By id or digest; ids are of their makers' choice, and one may stand twice. */
  named(name: string): HeldContract[]
  /** Agreed contracts for one service and any of these clients, the newest signed first, ended ones too. */
  agreedFor(service: string, clients: readonly string[]): readonly HeldContract[]
  /** What a provider signed in answer to a request. */
  answerTo(digest: string): HeldContract | undefined
  /** Offers and other answers that are not signed by all yet and have not ended. */
  openAnswers(at: Date): HeldContract[]
  /** In force until a time in between, and no agreed one follows; the first to end first, 1000 at most. */
  endingBetween(after: Date, until: Date): HeldContract[]
  document(digest: string): SignedDocument<Contract> | undefined
  /** @returns whether anything of it was new. A statement needs the contract it is about. */
  put(document: SignedDocument, source: 'own' | 'catalogue'): boolean
  /** Of ours, in the order in which they were made. */
  unsent(): { readonly digest: string; readonly jws: string }[]
  /** @param fault why the catalogue did not take it, and never will. */
  noteSent(digest: string, fault?: string): void
  /** The catalogue has lost what it had: ours are handed in again. */
  sendAgain(): void
  /** What could not be verified yet. */
  pending(): string[]
  setPending(jws: string, isPending: boolean): void
  /** Where to go on in the feed; it counts for one set of members. */
  cursor(members: string): number
  setCursor(members: string, position: number): void
}

const SCHEMA = `
CREATE TABLE document (
  place    INTEGER PRIMARY KEY AUTOINCREMENT,
  digest   TEXT NOT NULL UNIQUE,
  -- Digest of the contract that is meant; of a contract its own
  contract TEXT NOT NULL,
  jws      TEXT NOT NULL,
  isOwn    INTEGER NOT NULL,
  isSent   INTEGER NOT NULL,
  fault    TEXT
) STRICT;
CREATE TRIGGER document_is_not_forgotten BEFORE DELETE ON document
  BEGIN SELECT raise(ABORT, 'contracts and revocations are never forgotten'); END;
CREATE INDEX document_unsent ON document (place) WHERE isSent = 0;
CREATE TABLE pending (jws TEXT PRIMARY KEY) STRICT;
CREATE TABLE feed (members TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT;
`
const VERSION = 2
const MAX_ENDING = 1000
/** Contracts that are kept as objects, about 3 kB each. */
const MAX_REMEMBERED = 4000
const PAGE = 500

/** Which contracts a client has at a service: digests only. */
const MAX_REMEMBERED_PAIRS = 20_000

interface Row {
  readonly place: number
  readonly digest: string
  readonly jws: string
  readonly isSent: number
  readonly fault: string | null
  /** Of what was said of it. */
  readonly statements: number
}

/** @throws ConfigError when the file cannot be used. */
export function openContractStore(file: string): ContractStore {
  const db = openSqliteDatabase(file, (database, version) => {
    if (version === 0) database.exec(SCHEMA)
    database.exec(CONTRACT_INDEX)
    // Kept before there was an index, or by an earlier program that did not know it.
    if (version < VERSION) database.run('DELETE FROM contract')
    addUnlisted(database)
    setVersion(database, VERSION)
  })
  const index = openContractIndex(db)
  index.load()
  const remembered = new Map<string, HeldContract>()
  const rememberedPairs = new Map<string, readonly string[]>()
  const remember = (row: Row): HeldContract | undefined => {
    const held = readHeld(db, row)
    if (held === undefined) return undefined
    if (remembered.size >= MAX_REMEMBERED) remembered.delete(remembered.keys().next().value!)
    remembered.set(row.digest, held)
    return held
  }
  const byDigest = (digest: string): HeldContract | undefined => {
    const known = remembered.get(digest)
    if (known !== undefined) return known
    const row = rowOf(digest)
    return row && remember(row)
  }
  /** The newest signed first. */
  const agreed = (service: string, client: string): HeldContract[] => {
    const pair = `${service} ${client}`
    const known = rememberedPairs.get(pair)
    if (known !== undefined) return listed(known)
    const rows = agreedRows(db, service, client)
    if (rememberedPairs.size >= MAX_REMEMBERED_PAIRS) {
      rememberedPairs.delete(rememberedPairs.keys().next().value!)
    }
    const digests = rows.map(({ digest }) => digest)
    rememberedPairs.set(pair, digests)
    return rows.map((row) => remembered.get(row.digest) ?? remember(row)!)
  }
  const listed = (digests: readonly string[]): HeldContract[] =>
    digests.map((digest) => byDigest(digest)!)
  const rowOf = (digest: string): Row | undefined => rowsOf(db, 'WHERE digest = ?', digest)[0]

  const put = (document: SignedDocument, source: 'own' | 'catalogue'): boolean => {
    const row = rowOf(document.digest)
    const whole = row ? joined(row, document) : document
    const isOwn = Number(source === 'own')
    if (row && whole === undefined) {
      if (source === 'catalogue' && !row.isSent) noteSent(document.digest)
      return false
    }
    const { content } = document
    const about = content.kind === 'contract' ? document.digest : content.contract
    db.transaction(() => {
      db.run(
        `INSERT INTO document (digest, contract, jws, isOwn, isSent) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (digest) DO UPDATE SET jws = excluded.jws, fault = NULL,
           isOwn = max(isOwn, excluded.isOwn), isSent = min(isSent, excluded.isSent)`,
        document.digest,
        about,
        formatDocument(whole!),
        isOwn,
        1 - isOwn,
      )
      if (isContract(whole!)) index.put(whole)
      else if (content.kind === 'revocation') index.revoke(about)
    })
    remembered.delete(about)
    rememberedPairs.clear()
    if (isContract(whole!) && isSignedByAll(whole)) index.learn(whole.content)
    return true
  }
  const noteSent = (digest: string, fault?: string): void => {
    db.run('UPDATE document SET isSent = 1, fault = ? WHERE digest = ?', fault ?? null, digest)
    remembered.delete(digest)
  }
  return {
    all: () => allOf(db),
    byDigest,
    named: (name) => {
      const digests = index.named(name)
      return digests.length === 0 ? [byDigest(name) ?? []].flat() : listed(digests)
    },
    agreedFor: (service, clients) => {
      const found = index.clientsOf(service, clients).map((client) => agreed(service, client))
      const held = found.flat()
      return found.length < 2 ? held : held.toSorted((a, b) => signedAt(b) - signedAt(a))
    },
    answerTo: (digest) => {
      const answer = index.answerTo(digest)
      return answer === undefined ? undefined : byDigest(answer)
    },
    openAnswers: (at) => listed(index.openAnswers(at)),
    endingBetween: (after, until) => listed(index.ending(after, until, MAX_ENDING)),
    document: (digest) => {
      const row = rowOf(digest)
      const document = row && parseDocument(row.jws)
      return document && isContract(document) ? document : undefined
    },
    put,
    noteSent,
    unsent: () =>
      db.all('SELECT digest, jws FROM document WHERE isSent = 0 ORDER BY place LIMIT 500'),
    sendAgain: () => {
      db.run('UPDATE document SET isSent = 0 WHERE isOwn = 1 AND fault IS NULL')
      remembered.clear()
    },
    pending: () => db.all<{ jws: string }>('SELECT jws FROM pending').map(({ jws }) => jws),
    setPending: (jws, isPending) => {
      db.run(
        isPending
          ? 'INSERT INTO pending VALUES (?) ON CONFLICT DO NOTHING'
          : 'DELETE FROM pending WHERE jws = ?',
        jws,
      )
    },
    cursor: (members) =>
      db.get<{ position: number }>('SELECT position FROM feed WHERE members = ?', members)
        ?.position ?? 0,
    setCursor: (members, position) => {
      db.run(
        'INSERT INTO feed VALUES (?, ?) ON CONFLICT DO UPDATE SET position = excluded.position',
        members,
        position,
      )
    },
    [Symbol.dispose]: () => db[Symbol.dispose](),
  }
}

const STATEMENTS = `(SELECT count(*) FROM document AS said
  WHERE said.contract = document.digest AND said.digest <> said.contract) AS statements`

function rowsOf(db: Database, where: string, ...values: (string | number)[]): Row[] {
  return db.all<Row>(
    `SELECT place, digest, jws, isSent, fault, ${STATEMENTS} FROM document ${where}`,
    ...values,
  )
}

function agreedRows(db: Database, service: string, client: string): Row[] {
  return db.all<Row>(
    `SELECT place, document.digest, jws, isSent, fault, ${STATEMENTS}
     FROM contract JOIN document USING (digest)
     WHERE isAgreed = 1 AND service = ? AND client = ? ORDER BY signedAt DESC`,
    service,
    client,
  )
}

function* pages(db: Database, where: string): Generator<Row> {
  let after = 0
  for (;;) {
    const page = rowsOf(db, `WHERE ${where} AND place > ? ORDER BY place LIMIT ${PAGE}`, after)
    yield* page
    if (page.length === 0) return
    after = page.at(-1)!.place
  }
}

function* allOf(db: Database): Generator<HeldContract> {
  for (const row of pages(db, 'digest = contract')) yield readHeld(db, row)!
}

function addUnlisted(db: Database): void {
  const index = openContractIndex(db)
  const unlisted = 'digest = contract AND digest NOT IN (SELECT digest FROM contract)'
  for (const row of pages(db, unlisted)) {
    index.put(readKept(row) as SignedDocument<Contract>)
    for (const { content } of statementsOn(db, row.digest)) {
      if (content.kind === 'revocation') index.revoke(row.digest)
    }
  }
}

const isContract = (document: SignedDocument): document is SignedDocument<Contract> =>
  document.content.kind === 'contract'

const signedAt = ({ signers }: HeldContract): number =>
  Math.max(...signers.map((signer) => signer.signedAt.getTime()))

/** A statement has one signature: the same words of the other member say nothing new. */
function joined(row: Row, document: SignedDocument): SignedDocument | undefined {
  if (document.content.kind !== 'contract') return undefined
  return joinSignatures(parseDocument(row.jws), document)
}

/** What was verified before it was kept is not judged again. */
function readKept({ jws, digest }: Pick<Row, 'jws' | 'digest'>): SignedDocument {
  const decode = (part: string): unknown =>
    JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
  const { payload, signatures } = JSON.parse(jws) as {
    payload: string
    signatures: { protected: string; signature: string }[]
  }
  return {
    content: decode(payload) as Contract | ContractStatement,
    digest,
    payload,
    signatures: signatures.map((one) => ({
      ...one,
      header: decode(one.protected) as ContractHeader,
    })),
  }
}

/** @returns undefined for a statement. */
function readHeld(db: Database, row: Row): HeldContract | undefined {
  const document = readKept(row)
  if (!isContract(document)) return undefined
  const statement = row.statements === 0 ? undefined : statementOn(db, row.digest)
  const { isSent, fault } = row
  return {
    digest: row.digest,
    content: document.content,
    signers: document.signatures.map(({ header: { kid, iat } }) => ({
      member: kid,
      signedAt: new Date(iat * 1000),
    })),
    isAgreed: isSignedByAll(document),
    isHandedIn: isSent === 1 && fault === null,
    ...(fault === null ? {} : { fault }),
    ...(statement ? { statement } : {}),
  }
}

function statementsOn(db: Database, digest: string): SignedDocument<ContractStatement>[] {
  return rowsOf(db, 'WHERE contract = ? AND digest <> contract ORDER BY place', digest).map(
    (row) => readKept(row) as SignedDocument<ContractStatement>,
  )
}

/** A revocation is the last word, whatever else was said. */
function statementOn(db: Database, digest: string): HeldStatement | undefined {
  const all = statementsOn(db, digest)
  const last = all.find(({ content }) => content.kind === 'revocation') ?? all.at(-1)
  if (last === undefined) return undefined
  const { kind, reason } = last.content
  const { kid: by, iat } = last.signatures[0]!.header
  return { kind, reason, by, at: new Date(iat * 1000) }
}
