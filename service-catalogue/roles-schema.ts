/** Credentials of others than the operator, what they ask for, and what everybody did. */
export const ROLES_AND_REQUESTS = `
CREATE TABLE api_key (
  id         TEXT PRIMARY KEY,
  digest     TEXT NOT NULL UNIQUE,
  name       TEXT NOT NULL,
  role       TEXT NOT NULL,
  -- JSON array of identifiers; NULL: all
  scope      TEXT,
  -- Who holds it, who made it, and by which credential
  person     TEXT NOT NULL,
  madeBy     TEXT NOT NULL,
  madeWith   TEXT NOT NULL,
  createdAt  TEXT NOT NULL,
  expiresAt  TEXT NOT NULL,
  revokedAt  TEXT,
  lastUsedAt TEXT
) STRICT;

CREATE TABLE request (
  position    INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT NOT NULL UNIQUE,
  kind        TEXT NOT NULL CHECK (kind IN ('member', 'subsystem', 'gateway', 'service')),
  subject     TEXT NOT NULL,
  body        TEXT NOT NULL,
  reason      TEXT NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'refused', 'withdrawn')),
  requestedBy TEXT NOT NULL,
  person      TEXT NOT NULL,
  requestedAt TEXT NOT NULL,
  decidedBy   TEXT,
  decidedAt   TEXT,
  decision    TEXT
) STRICT;
CREATE UNIQUE INDEX request_pending ON request (kind, subject) WHERE state = 'pending';

-- The entry is canonical JSON that names the hash of the one before it
CREATE TABLE audit_act (
  position INTEGER PRIMARY KEY,
  entry    TEXT NOT NULL,
  hash     TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_act_is_not_changed BEFORE UPDATE ON audit_act
  BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_act_is_not_removed BEFORE DELETE ON audit_act
  BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
-- One row: so that the last entries are missed when they are gone
CREATE TABLE audit_head (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
`
