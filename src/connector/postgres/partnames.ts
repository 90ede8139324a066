// Names of the indexes, constraints, statistics and sequences of a table and its stage: the stage's parts take those of the table, which
// statements of the live system may use, and the parts of the table before get names that end with _old.

import type { PostgresConnection } from '../../ports/postgres.ts'
import { asideName, literal, qualified, quoted } from './names.ts'
import { sameParts } from './parts.ts'

/** `live`, `stage`: quoted. REQUIRES: an open transaction, with a lock on the table; the table that was put aside before is gone. */
export async function swapPartNames(
  connection: PostgresConnection, { live, stage }: { readonly live: string; readonly stage: string },
): Promise<void> {
  const parts = await connection.query(
    `${sameParts} SELECT kind, space, name, stage_space, stage_name FROM same ORDER BY kind, name`, [live, stage],
  )
  for (const [kind, space, name, stageSpace, stageName] of parts) {
    const aside = await freeName(connection, kind!, space!, name!)
    await connection.query(`ALTER ${kind} ${qualified(space!, name!)} RENAME TO ${quoted(aside)}`)
    if (stageSpace !== space) await connection.query(`ALTER ${kind} ${qualified(stageSpace!, stageName!)} SET SCHEMA ${quoted(space!)}`)
    await connection.query(`ALTER ${kind} ${qualified(space!, stageName!)} RENAME TO ${quoted(name!)}`)
  }
}

async function freeName(connection: PostgresConnection, kind: string, space: string, name: string): Promise<string> {
  for (let number = 0; ; number++) {
    const aside = asideName(name, number)
    const [taken] = await connection.query(kind === 'STATISTICS'
      ? `SELECT 1 FROM pg_statistic_ext WHERE stxnamespace = ${literal(quoted(space))}::regnamespace AND stxname = ${literal(aside)}`
      : `SELECT 1 FROM pg_class WHERE relnamespace = ${literal(quoted(space))}::regnamespace AND relname = ${literal(aside)}`)
    if (!taken) return aside
  }
}
