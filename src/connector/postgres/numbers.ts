// Numbers of identity columns of a table that rows are staged for. The sequence of such a column belongs to its table and cannot move, as
// that of a serial column does.

import type { PostgresConnection } from '../../ports/postgres.ts'

/** The numbers of identity columns of one table go on behind those of another table of the same shape, if it has come further. */
export async function goOn(connection: PostgresConnection, from: string, to: string): Promise<void> {
  for (const [set] of await connection.query(
    `SELECT format('SELECT setval(%1$L, last_value, is_called) FROM (SELECT * FROM (SELECT last_value, is_called FROM %1$s
         UNION ALL SELECT last_value, is_called FROM %2$s) AS numbers ORDER BY last_value * %3$s DESC, is_called DESC LIMIT 1) AS furthest',
       own, other, sign(seqincrement))
     FROM (SELECT pg_get_serial_sequence($2, attname) AS own, pg_get_serial_sequence($1, attname) AS other FROM pg_attribute
       WHERE attrelid = to_regclass($1) AND attidentity <> '') AS columns JOIN pg_sequence ON seqrelid = own::regclass`, [from, to],
  )) await connection.query(set!)
}

/** Identity columns of the stage take their numbers from those of the table to which its rows will be added. */
export async function takeNumbers(connection: PostgresConnection, live: string, stage: string): Promise<void> {
  for (const [alter] of await connection.query(
    `SELECT format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT nextval(%L)', $2::text, own.attname, pg_get_serial_sequence($1, own.attname))
     FROM pg_attribute AS own JOIN pg_attribute AS staged ON staged.attname = own.attname AND staged.attrelid = to_regclass($2)
     WHERE own.attrelid = to_regclass($1) AND own.attidentity <> '' AND NOT staged.atthasdef`, [live, stage],
  )) await connection.query(alter!)
}
