// Objects that belong to a table itself and not to its name: they would stay with the table that a swap puts aside, and the live system
// would go on with the old rows, or without its rules, and no error.

import type { PostgresConnection } from '../../ports/postgres.ts'
import { partsOf } from './parts.ts'

/** `$1`: the table. A publication of all tables, or of all of the schema, has the new one too. */
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
  `SELECT 'the subscription ' || s.subname FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid
     WHERE r.srrelid = to_regclass($1)`,
  `SELECT 'its place in ' || inhparent::regclass FROM pg_inherits WHERE inhrelid = to_regclass($1)`,
  `SELECT 'the inheritance of ' || inhrelid::regclass FROM pg_inherits WHERE inhparent = to_regclass($1)`,
  `SELECT 'the type ' || reloftype::regtype FROM pg_class WHERE oid = to_regclass($1) AND reloftype <> 0`,
  `SELECT 'the security label of ' || provider FROM pg_seclabel WHERE classoid = 'pg_class'::regclass AND objoid = to_regclass($1)`,
  // All others: functions, columns and types of the type of its rows, defaults with the numbers of its identity columns, extensions.
  `SELECT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_depend d
     WHERE (d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT id FROM own)
         OR d.refclassid = 'pg_type'::regclass AND d.refobjid IN (SELECT id FROM types))
       AND NOT (d.classid = 'pg_class'::regclass AND (d.objid IN (SELECT id FROM own) OR EXISTS
           (SELECT FROM pg_class s WHERE s.oid = d.objid AND (s.relkind = 't' OR s.relkind = 'S' AND d.deptype = 'a')))
         OR d.classid = 'pg_type'::regclass AND d.objid IN (SELECT id FROM types)
         OR d.classid = 'pg_constraint'::regclass AND d.objid IN (SELECT oid FROM pg_constraint WHERE conrelid = to_regclass($1))
         OR d.classid = 'pg_attrdef'::regclass AND d.objid IN (SELECT oid FROM pg_attrdef WHERE adrelid = to_regclass($1))
         OR d.classid = 'pg_trigger'::regclass AND d.objid IN (SELECT oid FROM pg_trigger WHERE tgrelid = to_regclass($1))
         OR d.classid = 'pg_statistic_ext'::regclass AND d.objid IN (SELECT id FROM parts WHERE kind = 'STATISTICS'))`,
  `SELECT pg_describe_object(refclassid, refobjid, 0) FROM pg_depend
     WHERE refclassid = 'pg_extension'::regclass AND deptype IN ('e', 'x') AND classid = 'pg_class'::regclass
       AND objid IN (SELECT id FROM own)`,
]

const own = `WITH ${partsOf('to_regclass($1)')},
  own AS (SELECT to_regclass($1)::oid AS id UNION ALL SELECT id FROM parts WHERE kind <> 'STATISTICS'),
  types AS (SELECT oid AS id FROM pg_type WHERE typrelid = to_regclass($1)
    UNION ALL SELECT typarray FROM pg_type WHERE typrelid = to_regclass($1))`

/** Name of one of them; undefined: there is none. */
export async function heldBy(connection: PostgresConnection, live: string): Promise<string | undefined> {
  const [held] = await connection.query(`${own} ${holders.join(' UNION ALL ')} LIMIT 1`, [live])
  return held?.[0] ?? undefined
}
