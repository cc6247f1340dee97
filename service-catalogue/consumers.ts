import { isSignedByAll, parseDocument, type SignedDocument } from '../protocol/contract-jws.ts'
import type { Contract } from '../protocol/contract.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { clientsOf } from './listed-clients.ts'
import { isWithin } from './scope.ts'

const GROUP = 'group:'

/**
 * Whether a client of the scope has a contract for the service: signed by both, neither revoked nor over. The catalogue
 * knows nothing else of who consumes what: a grant is kept by the provider's gateway alone.
 *
 * @param scope members, subsystems or services.
 */
export function hasContractFor(
  db: Database,
  scope: readonly string[],
  service: string,
  at: Date,
): boolean {
  const members = new Set(scope.map((id) => id.split('/').slice(0, 3).join('/')))
  const documents = db.all<{ client: string; jws: string }>(
    `SELECT client, jws FROM contract_document AS document
     WHERE kind = 'contract' AND service = ?
       AND (clientMember IS NULL OR clientMember IN (SELECT value FROM json_each(?)))
       AND NOT EXISTS (SELECT 1 FROM contract_document AS statement
         WHERE statement.contract = document.digest AND statement.kind = 'revocation')`,
    service,
    JSON.stringify([...members]),
  )
  return documents.some(
    ({ client, jws }) => isClientOf(db, scope, client) && isAgreed(jws, at.getTime()),
  )
}

function isClientOf(db: Database, scope: readonly string[], client: string): boolean {
  const clients = client.startsWith(GROUP)
    ? clientsOf(db, 'groupCode', client.slice(GROUP.length))
    : [client]
  // A contract of a whole member is one of each of its subsystems
  return clients.some((one) => isWithin(scope, one) || scope.some((id) => isWithin([one], id)))
}

function isAgreed(jws: string, at: number): boolean {
  const document = parseDocument(jws) as SignedDocument<Contract>
  return isSignedByAll(document) && at < Date.parse(document.content.validUntil)
}
