// Objects that belong to a table itself and not to its name: they would stay with the table that a swap puts aside, and the live system
// would go on with the old rows, or without its rules, and no error.

import type { PostgresConnection } from '../../ports/postgres.ts'

/** `$1`: the table. A publication of all tables has the new one too. */
const holders = [
  `SELECT 'the foreign key ' || conname FROM pg_constraint WHERE confrelid = to_regclass($1) AND conrelid <> confrelid`,
  `SELECT 'the view ' || r.ev_class::regclass FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
     WHERE d.refobjid = to_regclass($1) AND r.ev_class <> d.refobjid`,
  `SELECT 'the rule ' || rulename FROM pg_rewrite WHERE ev_class = to_regclass($1)`,
  `SELECT 'the trigger ' || tgname FROM pg_trigger WHERE tgrelid = to_regclass($1) AND NOT tgisinternal`,
  `SELECT 'the policy ' || polname FROM pg_policy WHERE polrelid = to_regclass($1)`,
  `SELECT 'the foreign key ' || conname FROM pg_constraint WHERE conrelid = to_regclass($1) AND contype = 'f'`,
  `SELECT 'the publication ' || p.pubname FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
     WHERE r.prrelid = to_regclass($1)`,
  `SELECT 'its place in ' || inhparent::regclass FROM pg_inherits WHERE inhrelid = to_regclass($1)`,
  `SELECT 'the inheritance of ' || inhrelid::regclass FROM pg_inherits WHERE inhparent = to_regclass($1)`,
]

/** Name of one of them; undefined: there is none. */
export async function heldBy(connection: PostgresConnection, live: string): Promise<string | undefined> {
  const [held] = await connection.query(`${holders.join(' UNION ALL ')} LIMIT 1`, [live])
  return held?.[0] ?? undefined
}
