/** Contracts and what is said of them, as members signed them (protocol/README.md §13.4). */
export const CONTRACTS = `
-- Never changed nor removed: a second signature is a document of its own
CREATE TABLE contract_document (
  position     INTEGER PRIMARY KEY AUTOINCREMENT,
  digest       TEXT NOT NULL,
  kind         TEXT NOT NULL CHECK (kind IN ('contract', 'refusal', 'revocation')),
  -- Digest of the contract that is meant; of a contract its own
  contract     TEXT NOT NULL,
  follows      TEXT,
  client       TEXT NOT NULL,
  service      TEXT NOT NULL,
  -- NULL: a group
  clientMember TEXT,
  provider     TEXT NOT NULL,
  jws          TEXT NOT NULL,
  receivedAt   TEXT NOT NULL
) STRICT;
CREATE INDEX contract_document_digest ON contract_document (digest);
CREATE INDEX contract_document_contract ON contract_document (contract);
CREATE INDEX contract_document_follows ON contract_document (follows);
CREATE INDEX contract_document_client ON contract_document (clientMember, position);
CREATE INDEX contract_document_provider ON contract_document (provider, position);
`
