import { partiesOf, type Contract } from '../../protocol/contract.ts'
import { isSignedByAll, signersOf, type SignedDocument } from '../../protocol/contract-jws.ts'
import type { Database } from '../../runtime/sqlite-database.ts'
import { createKnownPairs } from '../known-pairs.ts'

/** What contracts are found by, in columns: 100,000 of them as objects would be 300 MB of memory. */
export const CONTRACT_INDEX = `
CREATE TABLE IF NOT EXISTS contract (
  digest     TEXT PRIMARY KEY,
  id         TEXT NOT NULL,
  service    TEXT NOT NULL,
  client     TEXT NOT NULL,
  isAgreed   INTEGER NOT NULL,
  isRevoked  INTEGER NOT NULL,
  -- Signed by the provider
  isAnswer   INTEGER NOT NULL,
  -- Unix time in milliseconds; of the last signature
  signedAt   INTEGER NOT NULL,
  validUntil INTEGER NOT NULL,
  follows    TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS contract_agreed ON contract (service, client, signedAt) WHERE isAgreed = 1;
CREATE INDEX IF NOT EXISTS contract_id ON contract (id);
CREATE INDEX IF NOT EXISTS contract_follows ON contract (follows) WHERE follows IS NOT NULL;
CREATE INDEX IF NOT EXISTS contract_ends ON contract (validUntil) WHERE isAgreed = 1 AND isRevoked = 0;
CREATE INDEX IF NOT EXISTS document_statement ON document (contract) WHERE digest <> contract;
`

/** Contracts by what is asked for at each call and each hour; digests only. */
export interface ContractIndex {
  /** To be called in the transaction that keeps the document. */
  put(document: SignedDocument<Contract>): void
  revoke(digest: string): void
  /** Before the first question. */
  load(): void
  /** After the transaction that put it, when it is agreed. */
  learn(contract: Contract): void
  /** Clients, of those given, that have an agreed contract for a service. */
  clientsOf(service: string, clients: readonly string[]): string[]
  named(id: string): string[]
  /** What a provider signed last in answer to a request or contract. */
  answerTo(digest: string): string | undefined
  /** Answers that are not signed by all and did not end before `at`. */
  openAnswers(at: Date): string[]
  /** Agreed and not revoked, without an agreed one that follows, the first to end first. */
  ending(after: Date, until: Date, limit: number): string[]
}

export function openContractIndex(db: Database): ContractIndex {
  const digests = (sql: string, ...values: (string | number)[]): string[] =>
    db.all<{ digest: string }>(sql, ...values).map(({ digest }) => digest)
  const known = createKnownPairs()
  return {
    load: () => {
      for (const { service, client } of agreedPairs(db)) known.add(service, client)
    },
    learn: ({ service, client }) => known.add(service, client),
    put: (document) => putRow(db, document),
    revoke: (digest) => {
      db.run('UPDATE contract SET isRevoked = 1 WHERE digest = ?', digest)
    },
    clientsOf: (service, clients) => known.of(service, clients),
    named: (id) => digests('SELECT digest FROM contract WHERE id = ?', id),
    answerTo: (digest) =>
      digests(
        `SELECT contract.digest FROM contract JOIN document USING (digest)
         WHERE follows = ? AND isAnswer = 1 ORDER BY place DESC LIMIT 1`,
        digest,
      )[0],
    openAnswers: (at) =>
      digests(
        'SELECT digest FROM contract WHERE follows IS NOT NULL AND isAgreed = 0 AND validUntil > ?',
        at.getTime(),
      ),
    ending: (after, until, limit) =>
      digests(
        `SELECT digest FROM contract AS ending WHERE isAgreed = 1 AND isRevoked = 0
         AND validUntil > ? AND validUntil <= ? AND NOT EXISTS (
           SELECT 1 FROM contract WHERE follows = ending.digest AND isAgreed = 1)
         ORDER BY validUntil LIMIT ?`,
        after.getTime(),
        until.getTime(),
        limit,
      ),
  }
}

/** A page at a time: all rows at once would be the peak of the program's memory. */
function* agreedPairs(db: Database): Generator<{ service: string; client: string }> {
  let after = { service: '', client: '' }
  for (;;) {
    const page = db.all<{ service: string; client: string }>(
      `SELECT DISTINCT service, client FROM contract
       WHERE isAgreed = 1 AND (service, client) > (?, ?) ORDER BY service, client LIMIT 2000`,
      after.service,
      after.client,
    )
    yield* page
    if (page.length === 0) return
    after = page.at(-1)!
  }
}

function putRow(db: Database, document: SignedDocument<Contract>): void {
  const { digest, content, signatures } = document
  const signedAt = Math.max(...signatures.map(({ header: { iat } }) => iat * 1000))
  db.run(
    `INSERT INTO contract VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET isAgreed = excluded.isAgreed, isAnswer = excluded.isAnswer,
       signedAt = excluded.signedAt`,
    digest,
    content.id,
    content.service,
    content.client,
    Number(isSignedByAll(document)),
    Number(signersOf(document).includes(partiesOf(content).provider)),
    signedAt,
    new Date(content.validUntil).getTime(),
    content.follows ?? null,
  )
}
