// Statements that give a stage the properties of its table that CREATE TABLE … (LIKE … INCLUDING ALL) leaves out. They are made by the
// server from its catalogue, and run one by one. Run again, they follow a table that has changed meanwhile.

import type { PostgresConnection } from '../../ports/postgres.ts'
import { sameParts } from './parts.ts'

const options = `options AS (
    SELECT c.oid AS id, quote_ident(o.option_name) AS name, o.option_value AS value FROM pg_class c, pg_options_to_table(c.reloptions) o
    WHERE c.oid IN (to_regclass($1), to_regclass($2))
    UNION ALL SELECT c.oid, 'toast.' || quote_ident(o.option_name), o.option_value
    FROM pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid, pg_options_to_table(t.reloptions) o
    WHERE c.oid IN (to_regclass($1), to_regclass($2))),
  columns AS (
    SELECT l.attname AS name, l.attstattarget AS live_target, s.attstattarget AS stage_target, l.attoptions AS live, s.attoptions AS stage
    FROM pg_attribute l JOIN pg_attribute s USING (attname)
    WHERE l.attrelid = to_regclass($1) AND s.attrelid = to_regclass($2) AND l.attnum > 0 AND NOT l.attisdropped)`

/** Settings of storage and of statistics: needed before rows come, and again before ANALYZE counts them. */
const settings = `${sameParts}, ${options}
  SELECT format('ALTER TABLE %s SET (%s)', $2::text, string_agg(format('%s = %L', name, value), ', '))
    FROM options WHERE id = to_regclass($1) HAVING count(*) > 0
  UNION ALL SELECT format('ALTER TABLE %s RESET (%s)', $2::text, string_agg(name, ', '))
    FROM options WHERE id = to_regclass($2) AND name NOT IN (SELECT name FROM options WHERE id = to_regclass($1)) HAVING count(*) > 0
  UNION ALL SELECT format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', $2::text, name, coalesce(live_target, -1))
    FROM columns WHERE coalesce(live_target, -1) <> coalesce(stage_target, -1)
  UNION ALL SELECT format('ALTER TABLE %s ALTER COLUMN %I RESET (%s)', $2::text, c.name, string_agg(quote_ident(o.option_name), ', '))
    FROM columns c, pg_options_to_table(c.stage) o WHERE c.stage IS DISTINCT FROM c.live GROUP BY c.name
  UNION ALL SELECT format('ALTER TABLE %s ALTER COLUMN %I SET (%s)', $2::text, c.name,
      string_agg(format('%I = %L', o.option_name, o.option_value), ', '))
    FROM columns c, pg_options_to_table(c.live) o WHERE c.stage IS DISTINCT FROM c.live GROUP BY c.name
  UNION ALL SELECT format('ALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS %s', stage_space, stage_name, l.attnum,
      coalesce(l.attstattarget, -1))
    FROM same JOIN pg_attribute l ON l.attrelid = live JOIN pg_attribute s ON s.attrelid = stage AND s.attnum = l.attnum
    WHERE kind = 'INDEX' AND coalesce(l.attstattarget, -1) <> coalesce(s.attstattarget, -1)
  UNION ALL SELECT format('ALTER STATISTICS %I.%I SET STATISTICS %s', stage_space, stage_name, coalesce(l.target, -1))
    FROM same JOIN (SELECT oid, (to_jsonb(x) ->> 'stxstattarget')::int AS target FROM pg_statistic_ext x) l ON l.oid = live
    WHERE kind = 'STATISTICS' AND l.target <> -1
  UNION ALL SELECT format('ALTER SEQUENCE %I.%I AS %s INCREMENT %s MINVALUE %s MAXVALUE %s START %s CACHE %s %s', stage_space, stage_name,
      l.seqtypid::regtype, l.seqincrement, l.seqmin, l.seqmax, l.seqstart, l.seqcache,
      CASE WHEN l.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END)
    FROM same JOIN pg_sequence l ON l.seqrelid = live JOIN pg_sequence s ON s.seqrelid = stage
    WHERE kind = 'SEQUENCE' AND to_jsonb(l) - 'seqrelid' <> to_jsonb(s) - 'seqrelid'`

/** A stage is logged until its rows are there: after a crash, the rows of an unlogged one would be gone, and its parts staged. */
const persistence = `SELECT format('ALTER TABLE %s SET UNLOGGED', $2::text) FROM pg_class l, pg_class s
  WHERE l.oid = to_regclass($1) AND s.oid = to_regclass($2) AND l.relpersistence = 'u' AND s.relpersistence = 'p'`

/** Row level security, replica identity, comments. In this order: comments of constraints that are made again come last. */
const character = `${sameParts}
  SELECT * FROM (
    SELECT 1, format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I %s', $2::text, conname, conname, pg_get_constraintdef(l.oid))
      FROM pg_constraint l JOIN pg_constraint s USING (conname, contype)
      WHERE contype = 'c' AND l.conrelid = to_regclass($1) AND s.conrelid = to_regclass($2) AND NOT l.convalidated AND s.convalidated
    UNION ALL SELECT 1, format('ALTER TABLE %s CLUSTER ON %I', $2::text, stage_name)
      FROM same JOIN pg_index ON indexrelid = live WHERE kind = 'INDEX' AND indisclustered
    UNION ALL SELECT 1, format('ALTER TABLE %s REPLICA IDENTITY %s', $2::text, CASE relreplident WHEN 'f' THEN 'FULL' ELSE 'NOTHING' END)
      FROM pg_class WHERE oid = to_regclass($1) AND relreplident IN ('f', 'n')
    UNION ALL SELECT 1, format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', $2::text, stage_name)
      FROM same JOIN pg_index ON indexrelid = live JOIN pg_class ON pg_class.oid = indrelid
      WHERE kind = 'INDEX' AND indisreplident AND relreplident = 'i'
    UNION ALL SELECT 1, format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', $2::text)
      FROM pg_class WHERE oid = to_regclass($1) AND relrowsecurity
    UNION ALL SELECT 1, format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', $2::text)
      FROM pg_class WHERE oid = to_regclass($1) AND relforcerowsecurity
    UNION ALL SELECT 2, format('COMMENT ON TABLE %s IS %L', $2::text, obj_description(to_regclass($1), 'pg_class'))
    UNION ALL SELECT 2, format('COMMENT ON COLUMN %s.%I IS %L', $2::text, attname, description)
      FROM pg_description JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid
      WHERE classoid = 'pg_class'::regclass AND objoid = to_regclass($1) AND objsubid > 0
    UNION ALL SELECT 2, format('COMMENT ON %s %I.%I IS %L', kind, stage_space, stage_name, description)
      FROM same JOIN pg_description ON classoid = class AND objoid = live AND objsubid = 0
    UNION ALL SELECT 2, format('COMMENT ON CONSTRAINT %I ON %s IS %L', coalesce(stage_name, conname), $2::text, description)
      FROM pg_constraint k JOIN pg_description ON classoid = 'pg_constraint'::regclass AND objoid = k.oid
        LEFT JOIN same ON k.conindid = live AND kind = 'INDEX' WHERE conrelid = to_regclass($1)
  ) AS statements (rank, statement) ORDER BY rank`

/** The owner comes before the rights, which are the owner's to give, and before serial columns, whose sequences must have the same one. */
const owner = `${sameParts}
  SELECT format('ALTER TABLE %s OWNER TO %I', $2::text, pg_get_userbyid(l.relowner)) FROM pg_class l, pg_class s
    WHERE l.oid = to_regclass($1) AND s.oid = to_regclass($2) AND l.relowner <> s.relowner
  UNION ALL SELECT format('ALTER STATISTICS %I.%I OWNER TO %I', stage_space, stage_name, pg_get_userbyid(l.stxowner))
    FROM same JOIN pg_statistic_ext l ON l.oid = live JOIN pg_statistic_ext s ON s.oid = stage
    WHERE kind = 'STATISTICS' AND l.stxowner <> s.stxowner`

/** Numbers of serial columns go on: their sequences move to the new table. */
const sequences = `SELECT format('ALTER SEQUENCE %s OWNED BY %s.%I', s.oid::regclass, $2::text, a.attname)
  FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = to_regclass($1) AND d.deptype = 'a'`

const steps = { settings, persistence, character, owner, sequences } as const

/** `live`, `stage`: quoted. REQUIRES: an open transaction. */
export async function giveProperties(
  connection: PostgresConnection, { live, stage }: { readonly live: string; readonly stage: string }, step: keyof typeof steps,
): Promise<void> {
  const column = step === 'character' ? 1 : 0
  for (const row of await connection.query(steps[step], [live, stage])) await connection.query(row[column]!)
}
