// Indexes of a stage, which are built when its rows are there: a sort of all keys takes the server a third of the time of inserting them
// one by one, and the sessions that load do not wait for each other's pages. Those of exclusion constraints stay from the beginning.
// REQUIRES of `live` and `stage`: quoted.

import { GristmillError, hasCode } from '../../base/errors.ts'
import type { PostgresConnection } from '../../ports/postgres.ts'
import { sameParts } from './parts.ts'

interface Tables { readonly live: string; readonly stage: string }

interface Building extends Tables { readonly shown: string }

const dropping = `${sameParts}
  SELECT CASE WHEN k.oid IS NULL THEN format('DROP INDEX %I.%I', p.space, p.name)
      ELSE format('ALTER TABLE %s DROP CONSTRAINT %I', $2::text, k.conname) END
    FROM parts p JOIN pg_index i ON i.indexrelid = p.id
      LEFT JOIN pg_constraint k ON k.conindid = p.id AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u')
    WHERE p.kind = 'INDEX' AND p.owner_table = to_regclass($2) AND NOT i.indisexclusion ORDER BY p.id`

/** Statements for what the table has and the stage has not. Names are of the stage: a swap gives them those of the table. */
const building = `${sameParts}, missing AS (
    SELECT p.*, s.relname || '_' || row_number() OVER (ORDER BY p.id) AS new_name
    FROM parts p JOIN pg_class s ON s.oid = to_regclass($2)
    WHERE p.kind = 'INDEX' AND p.owner_table = to_regclass($1) AND NOT EXISTS (SELECT FROM same WHERE same.kind = 'INDEX' AND live = p.id))
  SELECT concat(format('SET LOCAL default_tablespace = %L; CREATE %sINDEX %I ON %s USING ', coalesce(spcname, ''),
        CASE WHEN i.indisunique THEN 'UNIQUE ' END, new_name, $2::text),
      substr(pg_get_indexdef(m.id), 1 + length(concat('CREATE ', CASE WHEN i.indisunique THEN 'UNIQUE ' END, 'INDEX ',
        quote_ident(m.name), ' ON ', quote_ident(n.nspname), '.', quote_ident(l.relname), ' USING '))),
      format('; ALTER TABLE %s ADD CONSTRAINT %I %s USING INDEX %I', $2::text, new_name,
        CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' END, new_name)
        || CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END)
    FROM missing m JOIN pg_index i ON i.indexrelid = m.id JOIN pg_class l ON l.oid = i.indrelid
      JOIN pg_class c ON c.oid = m.id JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace
      LEFT JOIN pg_constraint k ON k.conindid = m.id AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u')
    ORDER BY m.id`

/** REQUIRES: an open transaction; the stage has the indexes of the table. */
export async function dropIndexes(connection: PostgresConnection, { live, stage }: Tables): Promise<void> {
  for (const [statement] of await connection.query(dropping, [live, stage])) await connection.query(statement!)
}

/** REQUIRES: an open transaction. */
export async function createIndexes(connection: PostgresConnection, { live, stage }: Tables): Promise<void> {
  for (const [statement] of await connection.query(building, [live, stage])) await connection.query(statement!)
}

/**
 * Builds what is missing, in a transaction of its own: it may take minutes, in which the commit would hold its locks. Throws EINVAL for
 * rows that do not fit into an index, as those that have a key twice.
 */
export async function buildIndexes(connection: PostgresConnection, { live, stage, shown }: Building): Promise<void> {
  if ((await connection.query(building, [live, stage])).length === 0) return
  await connection.query('BEGIN')
  try {
    // Another commit of the same rows is waited for.
    await connection.query(`LOCK TABLE ${stage} IN SHARE ROW EXCLUSIVE MODE`)
    await createIndexes(connection, { live, stage })
    await connection.query('COMMIT')
  } catch (error) {
    await connection.query('ROLLBACK').catch(() => {})
    // The other one has put the stage in its place.
    if (hasCode(error, 'ENOENT')) return
    if (!isOfRows(error)) throw error
    const { details } = error
    throw new GristmillError('EINVAL', `${shown}: ${String(details['reason'])}`, { cause: error, details })
  }
}

/** A key that comes twice, a value that is too long for an index: no repeat with these rows ends otherwise. */
export const isOfRows = (error: unknown): error is GristmillError =>
  error instanceof GristmillError && /^(?:22|23|54)/.test(String(error.details['sqlstate']))
