import { columnDefinitions } from './postgres-columns.ts'

/** Of the tables and functions below; a gateway works with its own version only. */
export const POSTGRES_SCHEMA_VERSION = 1

// Searches look for runs, so that only the records that begin one are indexed for them: half of all.
export const BEGINS = '"begunAt" IS NULL AND side IS NOT NULL'

/**
 * Everything is in the schema `spean`, and belongs to the role that made it. Records and their content are
 * partitioned by month (UTC): a month that was archived is dropped, not deleted row by row.
 */
export const POSTGRES_TABLES = `
CREATE SCHEMA spean;
REVOKE ALL ON SCHEMA spean FROM PUBLIC;

CREATE TABLE spean.version (version integer NOT NULL);
INSERT INTO spean.version VALUES (${POSTGRES_SCHEMA_VERSION});

-- One row: the newest position that was given, and the lowest that is still here. Who appends holds its lock
-- until the commit: so positions have no gaps, and become visible in their order.
CREATE TABLE spean.extent (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  last bigint NOT NULL,
  first bigint NOT NULL
);
INSERT INTO spean.extent (last, first) VALUES (0, 1);

-- Texts are written with \\\\ for a backslash and \\0 for the character U+0000, which PostgreSQL cannot hold.
CREATE TABLE spean.record (
  position bigint NOT NULL,
  ${columnDefinitions},
  PRIMARY KEY (position, "recordedAt")
) PARTITION BY RANGE ("recordedAt");
CREATE INDEX ON spean.record ("exchangeId");
CREATE INDEX ON spean.record ("messageId") WHERE ${BEGINS};
CREATE INDEX ON spean.record ("begunAt", position) WHERE "begunAt" IS NOT NULL;
CREATE INDEX ON spean.record (at) WHERE ${BEGINS};
CREATE INDEX ON spean.record (client, at) WHERE ${BEGINS};
CREATE INDEX ON spean.record (service, at) WHERE ${BEGINS};
CREATE INDEX ON spean.record ("userId", at) WHERE "userId" IS NOT NULL AND ${BEGINS};
CREATE INDEX ON spean.record (issue, at) WHERE issue IS NOT NULL AND ${BEGINS};
CREATE INDEX ON spean.record (purpose, at) WHERE purpose IS NOT NULL AND ${BEGINS};
CREATE INDEX ON spean.record (code, at) WHERE kind = 'refusal';
CREATE INDEX ON spean.record ("begunAt") WHERE kind = 'response' AND status >= 400;
CREATE INDEX ON spean.record (kind, position) WHERE side IS NULL;
CREATE INDEX ON spean.record (staged) WHERE staged IS NOT NULL;

-- The owner is the position of the record, or below zero when the content was staged before its record.
CREATE TABLE spean.content (
  owner bigint NOT NULL,
  part integer NOT NULL,
  "keptAt" timestamptz NOT NULL,
  bytes bytea NOT NULL,
  PRIMARY KEY (owner, part, "keptAt")
) PARTITION BY RANGE ("keptAt");

-- Ciphertext and hashes do not get smaller.
ALTER TABLE spean.content ALTER bytes SET STORAGE EXTERNAL;

-- Vacuumed soon after an erasure, however large it is.
CREATE TABLE spean."recordKey" (position bigint PRIMARY KEY, wrapped bytea NOT NULL)
  WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 0);

-- What is still to be known of records that were archived: holds and their releases, and whose content it is that a
-- key here can open.
CREATE TABLE spean."archivedEvent" (
  position bigint PRIMARY KEY,
  ${columnDefinitions}
);
CREATE TABLE spean."archivedContent" (
  position bigint PRIMARY KEY,
  "exchangeId" text COLLATE "C" NOT NULL,
  at timestamptz NOT NULL,
  client text,
  service text,
  "userId" text,
  issue text
);
CREATE INDEX ON spean."archivedContent" ("exchangeId");

CREATE TABLE spean.tile (
  level integer NOT NULL,
  number bigint NOT NULL,
  hashes bytea NOT NULL,
  PRIMARY KEY (level, number)
);
ALTER TABLE spean.tile ALTER hashes SET STORAGE EXTERNAL;
CREATE TABLE spean.checkpoint (
  size bigint PRIMARY KEY,
  "rootHash" bytea NOT NULL,
  note text NOT NULL,
  at timestamptz NOT NULL,
  "witnessedAt" timestamptz
);
CREATE INDEX ON spean.checkpoint (at);
CREATE INDEX ON spean.checkpoint (size) WHERE "witnessedAt" IS NOT NULL;
CREATE TABLE spean.cosignature (
  size bigint NOT NULL REFERENCES spean.checkpoint ON DELETE CASCADE,
  line text NOT NULL,
  number bigint GENERATED ALWAYS AS IDENTITY,
  PRIMARY KEY (size, line)
);

CREATE TABLE spean.stamp (
  size bigint PRIMARY KEY,
  token bytea NOT NULL,
  "genTime" timestamptz NOT NULL,
  serial text NOT NULL,
  authority text NOT NULL,
  at timestamptz NOT NULL
);

CREATE TABLE spean.certificate (
  thumbprint text PRIMARY KEY,
  subject bytea NOT NULL,
  der bytea NOT NULL
);
CREATE INDEX ON spean.certificate USING hash (subject);
CREATE TABLE spean."ocspAnswer" (
  thumbprint text NOT NULL,
  "producedAt" timestamptz NOT NULL,
  der bytea NOT NULL,
  PRIMARY KEY (thumbprint, "producedAt")
);
CREATE TABLE spean."signatureStamp" (
  digest text PRIMARY KEY,
  token bytea NOT NULL,
  "genTime" timestamptz NOT NULL
);
`
