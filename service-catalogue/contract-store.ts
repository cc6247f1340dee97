import {
  formatDocument,
  isSignedByAll,
  joinSignatures,
  parseDocument,
  signersOf,
  verifyParties,
  type SignedDocument,
} from '../protocol/contract-jws.ts'
import { partiesOf, type Contract, type ContractStatement } from '../protocol/contract.ts'
import { ExchangeError } from '../protocol/errors.ts'
import type { Database } from '../runtime/sqlite-database.ts'

/** One document as it was handed in. */
export interface ContractRow {
  readonly position: number
  readonly digest: string
  readonly kind: 'contract' | 'refusal' | 'revocation'
  readonly contract: string
  readonly client: string
  readonly service: string
  readonly jws: string
  readonly receivedAt: string
}

/** What is to be stored: a document that fits what is there, or the one that is there already. */
export type Accepted =
  | { readonly known: number }
  | { readonly document: SignedDocument; readonly about: SignedDocument<Contract> }

const COLUMNS = 'position, digest, kind, contract, client, service, jws, receivedAt'
const PAGE = 500

/**
 * Judges a document, whose signatures are verified already, by what was handed in before.
 *
 * @throws ExchangeError `contract.conflict`; `contract.signer-unknown` of a statement by somebody else.
 */
export function judgeDocument(db: Database, document: SignedDocument): Accepted {
  return document.content.kind === 'contract'
    ? judgeContract(db, document as SignedDocument<Contract>)
    : judgeStatement(db, document as SignedDocument<ContractStatement>)
}

function judgeContract(db: Database, document: SignedDocument<Contract>): Accepted {
  const row = newestOf(db, document.digest)
  const held = row && (parseDocument(row.jws) as SignedDocument<Contract>)
  const joined = held ? joinSignatures(held, document) : document
  if (row && joined === undefined) return { known: row.position }
  const whole = joined as SignedDocument<Contract>
  const { id, follows } = whole.content
  if (statementOn(db, whole.digest, 'refusal')) throw conflict(`contract ${id} was refused`)
  const { provider } = partiesOf(whole.content)
  const isAnswer = signersOf(whole).includes(provider)
  if (isAnswer && !(held && signersOf(held).includes(provider))) {
    if (answerTo(db, whole.digest)) throw conflict(`request ${id} was answered with an offer`)
    if (follows !== undefined) refuseSecondAnswer(db, whole, follows)
  }
  return { document: whole, about: whole }
}

/** Of a request; what follows a contract in force, to narrow or renew it, is no answer. */
function refuseSecondAnswer(db: Database, offer: SignedDocument<Contract>, follows: string): void {
  const request = contractOf(db, follows)
  if (request === undefined || isSignedByAll(request)) return
  const { id } = request.content
  if (statementOn(db, follows, 'refusal')) throw conflict(`request ${id} was refused`)
  const other = answerTo(db, follows)
  if (other && other.digest !== offer.digest) throw conflict(`request ${id} was answered already`)
}

function judgeStatement(db: Database, document: SignedDocument<ContractStatement>): Accepted {
  const { kind, contract: digest } = document.content
  const about = contractOf(db, digest)
  if (about === undefined) throw conflict(`there is no contract ${digest}`)
  verifyParties(document, partiesOf(about.content))
  // The same words of the other member say nothing new.
  const known = newestOf(db, document.digest)
  if (known) return { known: known.position }
  const { id } = about.content
  const isInForce = isSignedByAll(about)
  if (kind === 'revocation' && !isInForce) {
    throw conflict(`${id} is not signed by both: there is nothing to revoke`)
  }
  if (kind === 'refusal' && isInForce) {
    throw conflict(`contract ${id} is signed by both: it can be revoked, not refused`)
  }
  if (kind === 'refusal' && answerTo(db, digest)) {
    throw conflict(`request ${id} was answered with an offer`)
  }
  if (statementOn(db, digest, kind)) throw conflict(`there is a ${kind} of ${id} already`)
  return { document, about }
}

/** @returns its position. Inside of a transaction. */
export function storeDocument(
  db: Database,
  { document, about }: Extract<Accepted, { document: object }>,
  at: Date,
): number {
  const { content, digest } = document
  const { client, provider } = partiesOf(about.content)
  db.run(
    `INSERT INTO contract_document
       (digest, kind, contract, follows, client, service, clientMember, provider, jws, receivedAt)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    digest,
    content.kind,
    about.digest,
    content.kind === 'contract' ? (content.follows ?? null) : null,
    about.content.client,
    about.content.service,
    client ?? null,
    provider,
    formatDocument(document),
    at.toISOString(),
  )
  return db.get<{ position: number }>('SELECT last_insert_rowid() AS position')!.position
}

/** Documents after a position that concern one of `members`; those of groups concern everybody. */
export function documentsAfter(
  db: Database,
  after: number,
  members: readonly string[],
): Pick<ContractRow, 'position' | 'jws'>[] {
  return db.all(
    `SELECT position, jws FROM contract_document
     WHERE position > ? AND (clientMember IS NULL
       OR clientMember IN (SELECT value FROM json_each(?))
       OR provider IN (SELECT value FROM json_each(?)))
     ORDER BY position LIMIT ${PAGE}`,
    after,
    JSON.stringify(members),
    JSON.stringify(members),
  )
}

/** The newest position of all; 0 without any. */
export function lastPosition(db: Database): number {
  const { last } = db.get<{ last: number | null }>(
    'SELECT max(position) AS last FROM contract_document',
  )!
  return last ?? 0
}

/** The newest documents, for the operator. */
export function listDocuments(db: Database, limit: number): ContractRow[] {
  return db.all<ContractRow>(
    `SELECT ${COLUMNS} FROM contract_document ORDER BY position DESC LIMIT ?`,
    limit,
  )
}

function newestOf(db: Database, digest: string): ContractRow | undefined {
  return db.get<ContractRow>(
    `SELECT ${COLUMNS} FROM contract_document WHERE digest = ? ORDER BY position DESC LIMIT 1`,
    digest,
  )
}

function contractOf(db: Database, digest: string): SignedDocument<Contract> | undefined {
  const row = newestOf(db, digest)
  return row?.kind === 'contract' ? (parseDocument(row.jws) as SignedDocument<Contract>) : undefined
}

function statementOn(db: Database, contract: string, kind: string): ContractRow | undefined {
  return db.get<ContractRow>(
    `SELECT ${COLUMNS} FROM contract_document WHERE contract = ? AND kind = ?`,
    contract,
    kind,
  )
}

/** The offer that follows a request. */
function answerTo(db: Database, digest: string): SignedDocument<Contract> | undefined {
  return db
    .all<{ jws: string }>(`SELECT jws FROM contract_document WHERE follows = ?`, digest)
    .map(({ jws }) => parseDocument(jws) as SignedDocument<Contract>)
    .find((answer) => signersOf(answer).includes(partiesOf(answer.content).provider))
}

const conflict = (detail: string): ExchangeError => new ExchangeError('contract.conflict', detail)
