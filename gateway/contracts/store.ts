import type { Contract, ContractStatement } from '../../protocol/contract.ts'
import {
  formatDocument,
  isSignedByAll,
  joinSignatures,
  parseDocument,
  signersOf,
  type ContractHeader,
  type SignedDocument,
} from '../../protocol/contract-jws.ts'
import { partiesOf } from '../../protocol/contract.ts'
import { openSqliteDatabase, setVersion, type Database } from '../../runtime/sqlite-database.ts'

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
 * The gateway's own store of verified documents: durable when a call returns, and answered from memory. Signatures
 * are only ever added, and a refusal or revocation is never forgotten.
 */
export interface ContractStore extends Disposable {
  all(): HeldContract[]
  byDigest(digest: string): HeldContract | undefined
  /** By id or digest; ids are of their makers' choice, and one may stand twice. */
  named(name: string): HeldContract[]
  /** Agreed contracts for one service and any of these clients, the newest signed first, ended ones too. */
  agreedFor(service: string, clients: readonly string[]): readonly HeldContract[]
  /** What a provider signed in answer to a request. */
  answerTo(digest: string): HeldContract | undefined
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

interface Row {
  readonly digest: string
  readonly jws: string
  readonly isSent: number
  readonly fault: string | null
}

/** @throws ConfigError when the file cannot be used. */
export function openContractStore(file: string): ContractStore {
  const db = openSqliteDatabase(file, (database, version) => {
    if (version === 0) database.exec(SCHEMA)
    setVersion(database, 1)
  })
  const index = createIndex()
  for (const row of rowsOf(db, 'ORDER BY place')) index.take(row)
  const rowOf = (digest: string): Row | undefined => rowsOf(db, 'WHERE digest = ?', digest)[0]
  const refresh = (digest: string): void => index.take(rowOf(digest)!)

  const documentOf = (digest: string): SignedDocument<Contract> | undefined => {
    const row = rowOf(digest)
    const document = row && parseDocument(row.jws)
    return document?.content.kind === 'contract'
      ? (document as SignedDocument<Contract>)
      : undefined
  }
  const put = (document: SignedDocument, source: 'own' | 'catalogue'): boolean => {
    const row = rowOf(document.digest)
    const whole = row ? joined(row, document) : document
    const isOwn = Number(source === 'own')
    if (row && whole === undefined) {
      if (source === 'catalogue' && !row.isSent) noteSent(document.digest)
      return false
    }
    const { content } = document
    db.run(
      `INSERT INTO document (digest, contract, jws, isOwn, isSent) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (digest) DO UPDATE SET jws = excluded.jws, fault = NULL,
         isOwn = max(isOwn, excluded.isOwn), isSent = min(isSent, excluded.isSent)`,
      document.digest,
      content.kind === 'contract' ? document.digest : content.contract,
      formatDocument(whole!),
      isOwn,
      1 - isOwn,
    )
    refresh(document.digest)
    return true
  }
  const noteSent = (digest: string, fault?: string): void => {
    db.run('UPDATE document SET isSent = 1, fault = ? WHERE digest = ?', fault ?? null, digest)
    refresh(digest)
  }
  return {
    ...index.queries,
    document: documentOf,
    put,
    noteSent,
    unsent: () =>
      db.all('SELECT digest, jws FROM document WHERE isSent = 0 ORDER BY place LIMIT 500'),
    sendAgain: () => {
      db.run('UPDATE document SET isSent = 0 WHERE isOwn = 1 AND fault IS NULL')
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

function rowsOf(db: Database, where: string, ...values: string[]): Row[] {
  return db.all<Row>(`SELECT digest, jws, isSent, fault FROM document ${where}`, ...values)
}

/** A statement has one signature: the same words of the other member say nothing new. */
function joined(row: Row, document: SignedDocument): SignedDocument | undefined {
  if (document.content.kind !== 'contract') return undefined
  return joinSignatures(parseDocument(row.jws), document)
}

/** What was verified before it was kept: to judge 100,000 of them again would hold up each start. */
function readKept({ jws, digest }: Row): SignedDocument {
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

type Queries = Pick<ContractStore, 'all' | 'byDigest' | 'named' | 'agreedFor' | 'answerTo'>

/** What is asked for at each call, without a query. */
function createIndex(): { take(row: Row): void; readonly queries: Queries } {
  const contracts = new Map<string, HeldContract>()
  const byId = new Map<string, Set<string>>()
  const statements = new Map<string, HeldStatement>()
  const answers = new Map<string, string>()
  /** Service, then client, to digests: the newest signed first. */
  const agreed = new Map<string, Map<string, string[]>>()
  const signedAt = (digest: string): number =>
    Math.max(...contracts.get(digest)!.signers.map((signer) => signer.signedAt.getTime()))

  const addAgreed = ({ digest, content: { service, client } }: HeldContract): void => {
    const clients = agreed.get(service) ?? new Map<string, string[]>()
    agreed.set(service, clients)
    const digests = clients.get(client) ?? []
    if (digests.includes(digest)) return
    clients.set(
      client,
      [...digests, digest].toSorted((a, b) => signedAt(b) - signedAt(a)),
    )
  }
  const takeContract = (document: SignedDocument<Contract>, { isSent, fault }: Row): void => {
    const { digest, content, signatures } = document
    const statement = statements.get(digest)
    const held: HeldContract = {
      digest,
      content,
      signers: signatures.map(({ header: { kid, iat } }) => ({
        member: kid,
        signedAt: new Date(iat * 1000),
      })),
      isAgreed: isSignedByAll(document),
      isHandedIn: isSent === 1 && fault === null,
      ...(fault === null ? {} : { fault }),
      ...(statement ? { statement } : {}),
    }
    contracts.set(digest, held)
    byId.set(content.id, (byId.get(content.id) ?? new Set()).add(digest))
    if (held.isAgreed) addAgreed(held)
    const { follows } = content
    const isAnswer = signersOf(document).includes(partiesOf(content).provider)
    if (follows !== undefined && isAnswer) answers.set(follows, digest)
  }
  const takeStatement = ({ content, signatures }: SignedDocument<ContractStatement>): void => {
    const { kind, contract, reason } = content
    const { kid: by, iat } = signatures[0]!.header
    const statement = { kind, reason, by, at: new Date(iat * 1000) }
    // A revocation is the last word, whatever else was said.
    if (statements.get(contract)?.kind === 'revocation') return
    statements.set(contract, statement)
    const about = contracts.get(contract)
    if (about) contracts.set(contract, { ...about, statement })
  }
  const listed = (digests: Iterable<string>): HeldContract[] =>
    [...digests].map((digest) => contracts.get(digest)!)
  return {
    take: (row) => {
      const document = readKept(row)
      if (document.content.kind === 'contract') {
        takeContract(document as SignedDocument<Contract>, row)
      } else takeStatement(document as SignedDocument<ContractStatement>)
    },
    queries: {
      all: () => [...contracts.values()],
      byDigest: (digest) => contracts.get(digest),
      named: (name) => listed(byId.get(name) ?? (contracts.has(name) ? [name] : [])),
      agreedFor: (service, clients) => {
        const byClient = agreed.get(service)
        if (byClient === undefined) return []
        const lists = clients.map((client) => byClient.get(client) ?? [])
        const [only = [], ...others] = lists.filter((list) => list.length > 0)
        if (others.length === 0) return listed(only)
        return listed(lists.flat().toSorted((a, b) => signedAt(b) - signedAt(a)))
      },
      answerTo: (digest) => {
        const answer = answers.get(digest)
        return answer === undefined ? undefined : contracts.get(answer)
      },
    },
  }
}
