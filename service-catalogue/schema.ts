import { CONTRACTS } from './contracts-schema.ts'
import { ROLES_AND_REQUESTS } from './roles-schema.ts'
import { LIFE_OF_SERVICES, SEARCH_OF_SERVICES, WEBHOOKS_OF_MEMBERS } from './services-schema.ts'

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
-- Those of before stay: what a log signed once is verified by them
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

/** Whether messages of services are compared with their description. */
const VALIDATION_OF_SERVICES = `
-- NULL: off
ALTER TABLE service ADD COLUMN validation TEXT CHECK (validation IN ('enforce', 'report', 'off'));
`

/** Whom the operator stopped. No foreign key: who is registered again is still stopped. */
const STOPS = `
CREATE TABLE stop (subject TEXT PRIMARY KEY, since TEXT NOT NULL, reason TEXT NOT NULL) STRICT;
`

/**
 * The number that changes were told last, and whether the state for it was read already: the next change gets
 * another one then. What was not signed yet is read again.
 */
const NUMBER_OF_SNAPSHOTS = `
CREATE TABLE snapshot_number (last INTEGER NOT NULL, isTaken INTEGER NOT NULL) STRICT;
INSERT INTO snapshot_number SELECT coalesce(max(number), 0), 1 FROM snapshot;
DELETE FROM snapshot WHERE jws IS NULL;
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
  CONTRACTS,
  ROLES_AND_REQUESTS,
  VALIDATION_OF_SERVICES,
  STOPS,
  LIFE_OF_SERVICES,
  SEARCH_OF_SERVICES,
  NUMBER_OF_SNAPSHOTS,
  WEBHOOKS_OF_MEMBERS,
]
