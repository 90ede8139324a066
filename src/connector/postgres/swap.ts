// Puts a stage in the place of a table, with what the table has beside its rows. The table before stays as NAME_old.
// REQUIRES: an open transaction, with a bound on waiting for locks. INVARIANT: the table is locked from the first change of names on.

import { GristmillError } from '../../base/errors.ts'
import type { PostgresConnection } from '../../ports/postgres.ts'
import { heldBy } from './held.ts'
import { literal, qualified, quoted, type TableAddress } from './names.ts'
import { goOn } from './numbers.ts'

/** `stage`: quoted. Throws EINVAL for a table that others hold by its identity. */
export async function swapIn(
  connection: PostgresConnection, { schema, table, shown }: TableAddress, stage: string,
): Promise<void> {
  const live = qualified(schema, table)
  const held = await heldBy(connection, live)
  if (held !== undefined)
    throw new GristmillError('EINVAL', `${shown} cannot be swapped: ${held} would stay with the table before; use upsert`)
  // Without statistics, queries have other plans until the server looks at the table by itself.
  await connection.query(`ANALYZE ${stage}`)
  const [on, to] = [
    `ON ${stage.replaceAll('%', '%%').replaceAll('\'', '\'\'')} TO`,
    `CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
     CASE WHEN is_grantable THEN 'WITH GRANT OPTION' ELSE '' END`,
  ]
  for (const [grant] of await connection.query(
    `SELECT format('GRANT %s ${on} %s %s', privilege_type, ${to})
       FROM pg_class, aclexplode(relacl) WHERE oid = to_regclass($1) AND grantee <> relowner
     UNION ALL SELECT format('GRANT %s (%I) ${on} %s %s', privilege_type, attname, ${to})
       FROM pg_attribute, aclexplode(attacl) WHERE attrelid = to_regclass($1)`, [live],
  )) await connection.query(grant!)
  const [[settings] = []] = await connection.query(
    `SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = to_regclass($1) AND reloptions IS NOT NULL`, [live],
  )
  if (settings) await connection.query(`ALTER TABLE ${stage} SET (${settings})`)
  // Behind the grants, which the owner until now makes, and before the sequences, whose owner the table must have.
  const [[owner] = []] = await connection.query(
    `SELECT quote_ident(pg_get_userbyid(live.relowner)) FROM pg_class AS live, pg_class AS stage
     WHERE live.oid = to_regclass($1) AND stage.oid = to_regclass($2) AND live.relowner <> stage.relowner`, [live, stage],
  )
  if (owner) await connection.query(`ALTER TABLE ${stage} OWNER TO ${owner}`)
  const old = qualified(schema, `${table}_old`)
  await connection.query(`DROP TABLE IF EXISTS ${old}`)
  // Numbers of a serial column go on: its sequence moves to the new table.
  for (const [move] of await connection.query(
    `SELECT format('ALTER SEQUENCE %s OWNED BY ${stage.replaceAll('%', '%%').replaceAll('\'', '\'\'')}.%I', s.oid::regclass, a.attname)
     FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
     JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.refobjid = to_regclass($1) AND d.deptype = 'a'`, [live],
  )) await connection.query(move!)
  const [[comment] = []] = await connection.query('SELECT obj_description(to_regclass($1))', [live])
  await connection.query(`COMMENT ON TABLE ${stage} IS ${comment === null || comment === undefined ? 'NULL' : literal(comment)}`)
  await connection.query(`ALTER TABLE ${live} RENAME TO ${quoted(`${table}_old`)}`)
  await connection.query(`ALTER TABLE ${stage} RENAME TO ${quoted(table)}`)
  await goOn(connection, old, live)
}
