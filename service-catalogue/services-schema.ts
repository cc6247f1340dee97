/** Versions of services, their planned changes, what consumers are told, and whom it is sent to. */
export const LIFE_OF_SERVICES = `
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
export const SEARCH_OF_SERVICES = `
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

/** Webhooks that are not the operator's: JSON array of the identifiers whose they are. */
export const WEBHOOKS_OF_MEMBERS = `
ALTER TABLE webhook ADD COLUMN scope TEXT;
CREATE INDEX contract_document_for_service ON contract_document (service);
`
