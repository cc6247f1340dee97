/**
 * Identifiers stand in their decoded form, `INSTANCE/CLASS/MEMBER/…`; times in RFC 3339, UTC.
 * Foreign keys are the second line: the routes say what depends on what, in words.
 */
const FIRST = `
CREATE TABLE catalogue (instance TEXT PRIMARY KEY) STRICT;

CREATE TABLE authority (name TEXT PRIMARY KEY) STRICT;
CREATE TABLE authority_certificate (
  authority TEXT NOT NULL REFERENCES authority ON DELETE CASCADE,
  position  INTEGER NOT NULL,
  der       BLOB NOT NULL,
  PRIMARY KEY (authority, position)
) STRICT;

CREATE TABLE member (id TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT;
CREATE TABLE subsystem (
  id     TEXT PRIMARY KEY,
  member TEXT NOT NULL REFERENCES member,
  code   TEXT NOT NULL,
  name   TEXT NOT NULL
) STRICT;
CREATE INDEX subsystem_member ON subsystem (member);

CREATE TABLE gateway (
  id      TEXT PRIMARY KEY,
  member  TEXT NOT NULL REFERENCES member,
  address TEXT NOT NULL
) STRICT;
CREATE INDEX gateway_member ON gateway (member);

-- Of members (signing) and of gateways (authentication)
CREATE TABLE certificate (
  thumbprint TEXT PRIMARY KEY,
  der        BLOB NOT NULL,
  member     TEXT REFERENCES member ON DELETE CASCADE,
  gateway    TEXT REFERENCES gateway ON DELETE CASCADE,
  CHECK ((member IS NULL) <> (gateway IS NULL))
) STRICT;
CREATE INDEX certificate_member ON certificate (member);
CREATE INDEX certificate_gateway ON certificate (gateway);

CREATE TABLE client_group (code TEXT PRIMARY KEY, title TEXT NOT NULL) STRICT;

-- Whom a gateway speaks for, and who is in a group: members or subsystems
CREATE TABLE listed_client (
  gateway   TEXT REFERENCES gateway ON DELETE CASCADE,
  groupCode TEXT REFERENCES client_group ON DELETE CASCADE,
  client    TEXT NOT NULL,
  member    TEXT REFERENCES member,
  subsystem TEXT REFERENCES subsystem,
  CHECK ((gateway IS NULL) <> (groupCode IS NULL)),
  CHECK (client = coalesce(member, subsystem) AND (member IS NULL) <> (subsystem IS NULL)),
  UNIQUE (gateway, client),
  UNIQUE (groupCode, client)
) STRICT;
CREATE INDEX listed_client_client ON listed_client (client);

-- Never removed: exchanges of the past were made under these contracts
CREATE TABLE description (digest TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE service (
  id                TEXT PRIMARY KEY,
  subsystem         TEXT NOT NULL REFERENCES subsystem,
  code              TEXT NOT NULL,
  title             TEXT NOT NULL,
  type              TEXT NOT NULL,
  endpoints         TEXT NOT NULL,
  descriptionDigest TEXT REFERENCES description
) STRICT;
CREATE INDEX service_subsystem ON service (subsystem);

CREATE TABLE event (
  position       INTEGER PRIMARY KEY AUTOINCREMENT,
  at             TEXT NOT NULL,
  actor          TEXT NOT NULL,
  action         TEXT NOT NULL,
  subject        TEXT NOT NULL,
  snapshotNumber INTEGER NOT NULL
) STRICT;
CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event
  BEGIN SELECT raise(ABORT, 'events are append-only'); END;
CREATE TRIGGER event_is_not_removed BEFORE DELETE ON event
  BEGIN SELECT raise(ABORT, 'events are append-only'); END;

-- The payload is what will be signed; it makes way for the JWS, which holds it.
CREATE TABLE snapshot (
  number    INTEGER PRIMARY KEY,
  issuedAt  TEXT NOT NULL,
  expiresAt TEXT NOT NULL,
  payload   TEXT,
  jws       TEXT,
  CHECK ((payload IS NULL) <> (jws IS NULL))
) STRICT;
CREATE INDEX snapshot_unsigned ON snapshot (number) WHERE jws IS NULL;
`

/** What authorities say of themselves, and who may be asked for time-stamps. */
const AUTHORITIES_OF_COUNTRIES = `
-- JSON of protocol/README.md §7.5; NULL: the profile of our own authority
ALTER TABLE authority ADD COLUMN subjectProfile TEXT;
ALTER TABLE authority ADD COLUMN ocspNonce TEXT NOT NULL DEFAULT 'required'
  CHECK (ocspNonce IN ('required', 'optional'));

-- Gateways try them by place, the lowest first
CREATE TABLE time_stamping_authority (
  name  TEXT PRIMARY KEY,
  url   TEXT NOT NULL,
  place INTEGER NOT NULL
) STRICT;
CREATE TABLE time_stamping_certificate (
  authority TEXT NOT NULL REFERENCES time_stamping_authority ON DELETE CASCADE,
  position  INTEGER NOT NULL,
  der       BLOB NOT NULL,
  PRIMARY KEY (authority, position)
) STRICT;
`

/** What the messages of services are, for what gateways keep of them. */
const CLASSIFICATIONS_OF_SERVICES = `
-- NULL: unknown
ALTER TABLE service ADD COLUMN classification TEXT
  CHECK (classification IN ('public', 'internal', 'personal', 'sensitive'));
`

/** Logs of gateways, who cosigns them, and how many must. */
const LOGS_AND_WITNESSES = `
-- Never removed: what a log signed once is verified by them
CREATE TABLE log_key (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  vkey     TEXT NOT NULL UNIQUE,
  origin   TEXT NOT NULL,
  gateway  TEXT NOT NULL,
  url      TEXT
) STRICT;
CREATE INDEX log_key_origin ON log_key (origin);

-- Of gateways, of the catalogue itself (own), and of others
CREATE TABLE witness (
  name    TEXT PRIMARY KEY,
  vkey    TEXT NOT NULL UNIQUE,
  url     TEXT NOT NULL,
  gateway TEXT UNIQUE REFERENCES gateway ON DELETE CASCADE,
  own     INTEGER NOT NULL DEFAULT 0
) STRICT;

-- JSON, one row at most; none: no cosignature is needed
CREATE TABLE witness_quorum (setting TEXT NOT NULL) STRICT;
`

/** Versions of services, their planned changes, what consumers are told, and whom it is sent to. */
const LIFE_OF_SERVICES = `
ALTER TABLE service ADD COLUMN version TEXT NOT NULL DEFAULT '1.0.0';
ALTER TABLE service ADD COLUMN state TEXT NOT NULL DEFAULT 'published'
  CHECK (state IN ('draft', 'published', 'deprecated', 'retired'));
ALTER TABLE service ADD COLUMN deprecatedAt TEXT;
ALTER TABLE service ADD COLUMN sunset TEXT;
ALTER TABLE service ADD COLUMN successor TEXT;

-- What will be in force later; content, differences and endpoints are JSON
CREATE TABLE planned_change (
  service           TEXT PRIMARY KEY REFERENCES service ON DELETE CASCADE,
  version           TEXT NOT NULL,
  effectiveAt       TEXT NOT NULL,
  level             TEXT,
  differences       TEXT NOT NULL,
  content           TEXT NOT NULL,
  endpoints         TEXT NOT NULL,
  descriptionDigest TEXT REFERENCES description,
  reason            TEXT
) STRICT;
CREATE INDEX planned_change_effectiveAt ON planned_change (effectiveAt);

-- For everybody; data is JSON. Services may go, what was said of them stays
CREATE TABLE service_event (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  id       TEXT NOT NULL UNIQUE,
  at       TEXT NOT NULL,
  type     TEXT NOT NULL,
  service  TEXT NOT NULL,
  version  TEXT NOT NULL,
  data     TEXT NOT NULL
) STRICT;
CREATE INDEX service_event_service ON service_event (service, position);
CREATE TRIGGER service_event_is_not_changed BEFORE UPDATE ON service_event
  BEGIN SELECT raise(ABORT, 'events are append-only'); END;
CREATE TRIGGER service_event_is_not_removed BEFORE DELETE ON service_event
  BEGIN SELECT raise(ABORT, 'events are append-only'); END;

-- position: of the last event that its receiver has; services is JSON, NULL: all
CREATE TABLE webhook (
  id            TEXT PRIMARY KEY,
  url           TEXT NOT NULL,
  services      TEXT,
  createdAt     TEXT NOT NULL,
  position      INTEGER NOT NULL,
  attempts      INTEGER NOT NULL DEFAULT 0,
  failingSince  TEXT,
  nextAttemptAt TEXT NOT NULL,
  lastError     TEXT,
  suspended     INTEGER NOT NULL DEFAULT 0
) STRICT;

-- JSON of docs/catalogue-content.md
CREATE TABLE service_entry (
  number  INTEGER PRIMARY KEY,
  service TEXT NOT NULL UNIQUE REFERENCES service ON DELETE CASCADE,
  entry   TEXT NOT NULL
) STRICT;
`

/** What is searched: texts by three letters at a time, which needs no spaces between words; names of fields. */
const SEARCH_OF_SERVICES = `
CREATE VIRTUAL TABLE service_search USING fts5 (en, km, lo, other, tokenize = 'trigram');
CREATE TRIGGER service_entry_removed AFTER DELETE ON service_entry
  BEGIN DELETE FROM service_search WHERE rowid = old.number; END;
INSERT INTO service_entry (service, entry) SELECT id, '{}' FROM service ORDER BY id;
INSERT INTO service_search (rowid, en, km, lo, other)
  SELECT number, '', '', '', id || ' ' || title FROM service_entry JOIN service ON id = service;

-- Properties of messages, as descriptions have them
CREATE TABLE service_field (
  service        TEXT NOT NULL REFERENCES service ON DELETE CASCADE,
  name           TEXT NOT NULL COLLATE NOCASE,
  pointer        TEXT NOT NULL,
  classification TEXT,
  PRIMARY KEY (service, pointer)
) STRICT;
CREATE INDEX service_field_name ON service_field (name, service);
`

/**
 * The element with number N leads from version N to N + 1. A new database goes through all of them, so
 * that it is the same as one that was migrated; what was released is not changed any more.
 */
export const MIGRATIONS: readonly string[] = [
  FIRST,
  AUTHORITIES_OF_COUNTRIES,
  CLASSIFICATIONS_OF_SERVICES,
  LOGS_AND_WITNESSES,
  LIFE_OF_SERVICES,
  SEARCH_OF_SERVICES,
]
