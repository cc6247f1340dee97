import { quotedColumns, STORED_COLUMNS } from './postgres-columns.ts'

const parameters = STORED_COLUMNS.map(([name, type]) => `"in_${name}" ${type}[]`).join(', ')
const arrays = STORED_COLUMNS.map(([name]) => `"in_${name}"`).join(', ')

/** Vacuumed within a minute of an erasure (`autovacuum_naptime`), however large the table is. */
const VACUUMED_SOON = `WITH (${['autovacuum', 'toast.autovacuum']
  .map((name) => `${name}_vacuum_scale_factor = 0, ${name}_vacuum_threshold = 0`)
  .join(', ')})`

/**
 * All changes go through these functions, which run with the rights of the owner: the gateway's role can call
 * them and read, and nothing else. `search_path` is fixed, so that nobody puts other tables or operators under them.
 */
const DEFINER = 'SECURITY DEFINER SET search_path = pg_catalog, pg_temp'

/** SQLSTATE of what `spean.append` does not append a second time. */
export const RECORDED_ALREADY = 'SP001'

export const POSTGRES_FUNCTIONS = `
CREATE OR REPLACE FUNCTION spean."monthOf"(instant timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE AS $$ SELECT pg_catalog.date_trunc('month', instant, 'UTC') $$;

CREATE OR REPLACE FUNCTION spean."partitionOf"(parent text, month timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT parent || pg_catalog.to_char(month AT TIME ZONE 'UTC', '_YYYY_MM') $$;

-- Who calls it holds the lock of spean.extent.
CREATE OR REPLACE FUNCTION spean."makeMonth"(month timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  parent text;
  name text;
BEGIN
  FOREACH parent IN ARRAY ARRAY['record', 'content'] LOOP
    name := spean."partitionOf"(parent, month);
    CONTINUE WHEN to_regclass('spean.' || name) IS NOT NULL;
    -- Made first and attached then: that locks out no reader.
    EXECUTE format('CREATE TABLE spean.%I (LIKE spean.%I INCLUDING ALL) %s', name, parent,
      CASE parent WHEN 'content' THEN '${VACUUMED_SOON}' ELSE '' END);
    EXECUTE format('ALTER TABLE spean.%I ATTACH PARTITION spean.%I FOR VALUES FROM (%L) TO (%L)',
      parent, name, month, spean."monthOf"(month + interval '32 days'));
  END LOOP;
END $$;

-- Makes partitions ahead of need, and sweeps content that was staged for records that never came.
CREATE OR REPLACE FUNCTION spean.prepare() RETURNS void
LANGUAGE plpgsql ${DEFINER} AS $$
BEGIN
  PERFORM FROM spean.extent FOR UPDATE;
  FOR ahead IN 0..2 LOOP
    PERFORM spean."makeMonth"(spean."monthOf"(spean."monthOf"(now()) + ahead * interval '31 days'));
  END LOOP;
  DELETE FROM spean.content c WHERE c.owner < 0
    AND c."keptAt" BETWEEN now() - interval '60 days' AND now() - interval '1 day'
    AND NOT EXISTS (SELECT FROM spean.record r WHERE r.staged = c.owner);
END $$;

-- Appends records, one for each element of the arrays; content and keys belong to them by index from 1.
-- Returns the position of the first. Of those with an in_since no other may have been recorded since; when one was,
-- nothing is appended, and the detail of the error has the indexes of those.
CREATE OR REPLACE FUNCTION spean.append(${parameters},
  in_since timestamptz[], in_wrapped bytea[], in_entry integer[], in_part integer[], in_bytes bytea[]) RETURNS bigint
LANGUAGE plpgsql ${DEFINER} AS $$
DECLARE
  before bigint;
  month timestamptz;
  doubles text;
BEGIN
  UPDATE spean.extent SET last = last + cardinality(in_salt)
    RETURNING last - cardinality(in_salt) INTO before;
  -- Everything that was recorded before is visible by now: whoever appends waited for the lock above.
  SELECT string_agg(g.n::text, ',') INTO doubles
    FROM unnest(in_since, "in_exchangeId", in_side, in_kind) WITH ORDINALITY AS g(since, id, side, kind, n)
    WHERE g.since IS NOT NULL AND ((SELECT true FROM spean.record r
        WHERE r."exchangeId" = g.id AND r.side = g.side AND r.kind = g.kind AND r."recordedAt" >= g.since LIMIT 1)
      OR EXISTS (SELECT FROM unnest("in_exchangeId", in_side, in_kind) WITH ORDINALITY AS e(id, side, kind, n)
        WHERE e.n < g.n AND e.id = g.id AND e.side = g.side AND e.kind = g.kind));
  IF doubles IS NOT NULL THEN
    RAISE 'recorded already' USING ERRCODE = '${RECORDED_ALREADY}', DETAIL = doubles;
  END IF;
  FOR month IN SELECT DISTINCT spean."monthOf"(t) FROM unnest("in_recordedAt") AS t LOOP
    PERFORM spean."makeMonth"(month);
  END LOOP;
  INSERT INTO spean.record (position, ${quotedColumns})
    SELECT before + n, ${quotedColumns}
    FROM unnest(${arrays}) WITH ORDINALITY AS given(${quotedColumns}, n);
  INSERT INTO spean."recordKey" (position, wrapped)
    SELECT before + n, w FROM unnest(in_wrapped) WITH ORDINALITY AS given(w, n) WHERE w IS NOT NULL;
  INSERT INTO spean.content (owner, part, "keptAt", bytes)
    SELECT before + e, p, "in_recordedAt"[e], b FROM unnest(in_entry, in_part, in_bytes) AS given(e, p, b);
  RETURN before + 1;
END $$;

CREATE OR REPLACE FUNCTION spean.unstage(in_owner bigint) RETURNS void
LANGUAGE plpgsql ${DEFINER} AS $$
BEGIN
  DELETE FROM spean.content c WHERE c.owner = in_owner AND c.owner < 0
    AND NOT EXISTS (SELECT FROM spean.record r WHERE r.staged = c.owner);
END $$;

CREATE OR REPLACE FUNCTION spean.stage(in_owner bigint, in_part integer, in_bytes bytea) RETURNS void
LANGUAGE plpgsql ${DEFINER} AS $$
BEGIN
  IF to_regclass('spean.' || spean."partitionOf"('content', spean."monthOf"(now()))) IS NULL THEN
    PERFORM FROM spean.extent FOR UPDATE;
    PERFORM spean."makeMonth"(spean."monthOf"(now()));
  END IF;
  IF in_owner >= 0 OR EXISTS (SELECT FROM spean.record WHERE staged = in_owner) THEN
    RAISE 'content is staged before its record';
  END IF;
  INSERT INTO spean.content (owner, part, "keptAt", bytes) VALUES (in_owner, in_part, now(), in_bytes);
END $$;

CREATE OR REPLACE FUNCTION spean.erase(in_positions bigint[]) RETURNS void
LANGUAGE sql ${DEFINER} AS $$
  DELETE FROM spean.content WHERE owner IN (
    SELECT position FROM spean.record WHERE position = ANY (in_positions) AND staged IS NULL
    UNION ALL SELECT staged FROM spean.record WHERE position = ANY (in_positions) AND staged IS NOT NULL);
  DELETE FROM spean."recordKey" WHERE position = ANY (in_positions);
  DELETE FROM spean."archivedContent" WHERE position = ANY (in_positions);
$$;

-- Removes the records up to a position and their content: whole months at once, the rest row by row.
CREATE OR REPLACE FUNCTION spean."removeUpTo"(in_position bigint) RETURNS void
LANGUAGE plpgsql ${DEFINER} AS $$
DECLARE
  child text;
  month text;
  isLater boolean;
BEGIN
  UPDATE spean.extent SET first = greatest(first, least(in_position, last) + 1);
  INSERT INTO spean."archivedEvent" (position, ${quotedColumns})
    SELECT position, ${quotedColumns} FROM spean.record
    WHERE position <= in_position AND side IS NULL AND kind IN ('hold', 'release', 'archive')
    ON CONFLICT DO NOTHING;
  INSERT INTO spean."archivedContent" (position, "exchangeId", at, client, service, "userId", issue)
    SELECT r.position, r."exchangeId", coalesce(b.at, a.at, r.at), r.client, r.service,
      coalesce(r."userId", b."userId", a."userId"), coalesce(r.issue, b.issue, a.issue)
    FROM spean.record AS r JOIN spean."recordKey" AS k ON k.position = r.position
      LEFT JOIN spean.record AS b ON b.position = r."begunAt"
      LEFT JOIN spean."archivedContent" AS a ON a.position = r."begunAt"
    WHERE r.position <= in_position
    ON CONFLICT DO NOTHING;
  FOR child IN SELECT c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
    WHERE inhparent = 'spean.record'::regclass AND c.relname < spean."partitionOf"('record', spean."monthOf"(now()))
  LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM spean.%I WHERE position > $1)', child)
      INTO isLater USING in_position;
    CONTINUE WHEN isLater;
    month := replace(child, 'record', 'content');
    -- What was staged in one month may belong to a record of the next.
    EXECUTE format('SELECT EXISTS (SELECT FROM spean.%I c WHERE owner < 0 AND NOT EXISTS
        (SELECT FROM spean.record r WHERE r.staged = c.owner AND r.position <= $1))', month)
      INTO isLater USING in_position;
    CONTINUE WHEN isLater;
    EXECUTE format('DROP TABLE spean.%I', month);
    DELETE FROM spean.content WHERE owner IN
      (SELECT r.staged FROM spean.record r WHERE r.staged IS NOT NULL AND r.position <= in_position);
    EXECUTE format('DROP TABLE spean.%I', child);
  END LOOP;
  DELETE FROM spean.content WHERE owner IN
    (SELECT coalesce(staged, position) FROM spean.record WHERE position <= in_position);
  DELETE FROM spean.record WHERE position <= in_position;
END $$;

-- False, and nothing is changed, when the newest checkpoint has another size than in_from.
CREATE OR REPLACE FUNCTION spean.advance(in_from bigint, in_level integer[], in_number bigint[], in_hashes bytea[],
  in_size bigint, "in_rootHash" bytea, in_note text, in_at timestamptz, "in_witnessedAt" timestamptz) RETURNS boolean
LANGUAGE plpgsql ${DEFINER} AS $$
BEGIN
  LOCK TABLE spean.checkpoint IN SHARE ROW EXCLUSIVE MODE;
  IF (SELECT coalesce(max(size), 0) FROM spean.checkpoint) <> in_from OR in_size <= in_from THEN
    RETURN false;
  END IF;
  INSERT INTO spean.tile (level, number, hashes) SELECT * FROM unnest(in_level, in_number, in_hashes)
    ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes;
  INSERT INTO spean.checkpoint (size, "rootHash", note, at, "witnessedAt")
    VALUES (in_size, "in_rootHash", in_note, in_at, "in_witnessedAt");
  RETURN true;
END $$;

CREATE OR REPLACE FUNCTION spean.cosign(in_size bigint, in_lines text[], "in_witnessedAt" timestamptz) RETURNS void
LANGUAGE plpgsql ${DEFINER} AS $$
BEGIN
  PERFORM FROM spean.checkpoint WHERE size = in_size FOR UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  INSERT INTO spean.cosignature (size, line)
    SELECT in_size, l FROM unnest(in_lines) WITH ORDINALITY AS given(l, n) ORDER BY n ON CONFLICT DO NOTHING;
  UPDATE spean.checkpoint SET "witnessedAt" = "in_witnessedAt"
    WHERE size = in_size AND "witnessedAt" IS NULL AND "in_witnessedAt" IS NOT NULL;
END $$;

CREATE OR REPLACE FUNCTION spean.thin(in_from timestamptz, in_before timestamptz, in_keep bigint[]) RETURNS void
LANGUAGE sql ${DEFINER} AS $$
  DELETE FROM spean.checkpoint WHERE at >= in_from AND at < in_before AND size <> ALL (in_keep)
    AND size < (SELECT max(size) FROM spean.checkpoint)
    AND size <> coalesce((SELECT max(size) FROM spean.checkpoint WHERE "witnessedAt" IS NOT NULL), 0);
$$;

-- False, and nothing is kept, when there is one of this size or a larger one already.
CREATE OR REPLACE FUNCTION spean."addStamp"(in_size bigint, in_token bytea, "in_genTime" timestamptz,
  in_serial text, in_authority text, in_at timestamptz) RETURNS boolean
LANGUAGE plpgsql ${DEFINER} AS $$
BEGIN
  LOCK TABLE spean.stamp IN SHARE ROW EXCLUSIVE MODE;
  IF in_size <= (SELECT coalesce(max(size), 0) FROM spean.stamp) THEN RETURN false; END IF;
  INSERT INTO spean.stamp (size, token, "genTime", serial, authority, at)
    VALUES (in_size, in_token, "in_genTime", in_serial, in_authority, in_at);
  RETURN true;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA spean FROM PUBLIC;
`

const READABLE = [
  'version',
  'extent',
  'record',
  'content',
  '"recordKey"',
  '"archivedEvent"',
  '"archivedContent"',
  'tile',
  'checkpoint',
  'cosignature',
  'stamp',
  'certificate',
  '"ocspAnswer"',
  '"signatureStamp"',
]
const CALLABLE = [
  'prepare',
  'append',
  'stage',
  'unstage',
  'erase',
  '"removeUpTo"',
  'advance',
  'cosign',
  'thin',
  '"addStamp"',
]
const INSERTABLE = ['certificate', '"ocspAnswer"', '"signatureStamp"']

/**
 * @param role quoted.
 * @param readOnly the role may read, and nothing else: to verify.
 */
export function grantsTo(role: string, { readOnly = false } = {}): string {
  const inSchema = (names: readonly string[]): string =>
    names.map((name) => `spean.${name}`).join(', ')
  const toRead = `GRANT USAGE ON SCHEMA spean TO ${role};
GRANT SELECT ON ${inSchema(READABLE)} TO ${role};
`
  if (readOnly) return toRead
  return `${toRead}GRANT INSERT ON ${inSchema(INSERTABLE)} TO ${role};
GRANT EXECUTE ON FUNCTION ${inSchema(CALLABLE)} TO ${role};
`
}
