export const SCHEMA_VERSION = 2

/** Times in RFC 3339, UTC: as texts they sort as times do. Serials as in `Certificate`. */
export const SCHEMA = `
CREATE TABLE certificate (
  position  INTEGER PRIMARY KEY,
  serial    TEXT NOT NULL UNIQUE,
  issuer    TEXT NOT NULL,
  kind      TEXT NOT NULL,
  subject   TEXT NOT NULL,
  notAfter  TEXT NOT NULL,
  der       BLOB NOT NULL,
  issuedAt  TEXT NOT NULL,
  -- What may renew it beside itself: certificates of one enrolment
  enrolment TEXT,
  revokedAt TEXT,
  reason    TEXT,
  CHECK ((revokedAt IS NULL) = (reason IS NULL))
) STRICT;
CREATE INDEX certificate_enrolment ON certificate (enrolment) WHERE enrolment IS NOT NULL;
CREATE INDEX certificate_revoked ON certificate (issuer) WHERE revokedAt IS NOT NULL;

-- Of a code only its hash: who reads this file cannot enrol
CREATE TABLE code (
  id        TEXT PRIMARY KEY,
  hash      BLOB NOT NULL UNIQUE,
  note      TEXT NOT NULL,
  madeAt    TEXT NOT NULL,
  expiresAt TEXT NOT NULL
) STRICT;
CREATE TABLE code_order (
  id              INTEGER PRIMARY KEY,
  code            TEXT NOT NULL REFERENCES code ON DELETE CASCADE,
  kind            TEXT NOT NULL,
  identity        TEXT NOT NULL,
  subjectAltNames TEXT NOT NULL,
  -- Hash of the request that has taken this order, and what was issued for it
  csrDigest       TEXT,
  serial          TEXT REFERENCES certificate (serial)
) STRICT;
CREATE INDEX code_order_code ON code_order (code);

-- Enrolments that wait for, or have had, the operator's word
CREATE TABLE request (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  codeOrder     INTEGER NOT NULL REFERENCES code_order ON DELETE CASCADE,
  csrDigest     TEXT NOT NULL,
  keyThumbprint TEXT NOT NULL,
  remoteAddress TEXT NOT NULL,
  askedAt       TEXT NOT NULL,
  state         TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'rejected')),
  decidedAt     TEXT,
  reason        TEXT,
  UNIQUE (codeOrder, csrDigest)
) STRICT;

-- The newest of each authority
CREATE TABLE crl (
  issuer     TEXT PRIMARY KEY,
  number     INTEGER NOT NULL,
  thisUpdate TEXT NOT NULL,
  nextUpdate TEXT NOT NULL,
  der        BLOB NOT NULL
) STRICT;

CREATE TABLE journal (
  position      INTEGER PRIMARY KEY AUTOINCREMENT,
  at            TEXT NOT NULL,
  action        TEXT NOT NULL,
  subject       TEXT NOT NULL,
  code          TEXT,
  detail        TEXT,
  remoteAddress TEXT,
  bytes         INTEGER
) STRICT;
CREATE TRIGGER journal_is_not_changed BEFORE UPDATE ON journal
  BEGIN SELECT raise(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_is_not_removed BEFORE DELETE ON journal
  BEGIN SELECT raise(ABORT, 'the journal is append-only'); END;
`
