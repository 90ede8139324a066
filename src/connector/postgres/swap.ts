// Puts a stage in the place of a table, with what the table has beside its rows. The table before stays as NAME_old.
// REQUIRES: an open transaction, with a bound on waiting for locks.
// INVARIANT: the new table is described by the catalogue as the one before was, or nothing is changed. The table is locked from the moment
// at which its properties are read for good.

import { GristmillError, hasCode, type ErrorCode } from '../../base/errors.ts'
import type { PostgresConnection } from '../../ports/postgres.ts'
import { describe, differenceOf } from './description.ts'
import { heldBy } from './held.ts'
import { createIndexes, dropIndexes } from './indexes.ts'
import { asideName, qualified, quoted, type TableAddress } from './names.ts'
import { goOn } from './numbers.ts'
import { swapPartNames } from './partnames.ts'
import { giveProperties } from './properties.ts'
import { giveRights } from './rights.ts'

interface NewStage {
  /** Quoted. */
  readonly stage: string
  /** Its indexes are built when its rows are there (indexes.ts). */
  readonly isBare: boolean
}

/**
 * Makes an empty stage, which has the properties that rows are stored by. Throws EINVAL for a table that a swap would change, before any
 * row is sent.
 */
export async function createStage(connection: PostgresConnection, address: TableAddress, { stage, isBare }: NewStage): Promise<void> {
  await checkFree(connection, address)
  if (isBare) {
    await connection.query('SAVEPOINT gristmill_stage')
    if (await refusal(connection, address, { stage, isBare }) === undefined) return
    // An index that another statement does not make again may be one that LIKE makes.
    await connection.query('ROLLBACK TO SAVEPOINT gristmill_stage')
  }
  const found = await refusal(connection, address, { stage, isBare: false })
  if (found) throw found
}

async function refusal(connection: PostgresConnection, address: TableAddress, rehearsal: NewStage): Promise<GristmillError | undefined> {
  try {
    const difference = await rehearsed(connection, qualified(address.schema, address.table), rehearsal)
    if (difference === undefined) return undefined
    return refused(address, `the new table would not have this as the table before: ${difference}`)
  } catch (error) {
    if (!hasCode(error, 'EACCES') && !hasCode(error, 'EINVAL')) throw error
    const { code, message } = error as GristmillError
    return refused(address, `the server does not give another table its properties: ${message}`, { code, cause: error })
  }
}

async function rehearsed(connection: PostgresConnection, live: string, { stage, isBare }: NewStage): Promise<string | undefined> {
  await createLike(connection, live, stage)
  await goOn(connection, live, stage)
  if (isBare) await dropIndexes(connection, { live, stage })
  await connection.query('SAVEPOINT gristmill_rehearsal')
  if (isBare) {
    await createIndexes(connection, { live, stage })
    await giveProperties(connection, { live, stage }, 'settings')
  }
  for (const step of ['persistence', 'character', 'owner'] as const) await giveProperties(connection, { live, stage }, step)
  await giveRights(connection, { live, stage })
  const difference = differenceOf(await describe(connection, live), await describe(connection, stage), { withNames: false })
  await connection.query('ROLLBACK TO SAVEPOINT gristmill_rehearsal')
  return difference
}

async function createLike(connection: PostgresConnection, live: string, stage: string): Promise<void> {
  const [[storage] = []] = await connection.query(
    `SELECT concat(' USING ' || quote_ident(amname), ' TABLESPACE ' || quote_ident(spcname)) FROM pg_class c
       LEFT JOIN pg_am ON pg_am.oid = relam LEFT JOIN pg_tablespace t ON t.oid = reltablespace WHERE c.oid = to_regclass($1)`, [live],
  )
  await connection.query(`SET LOCAL default_tablespace = ''; CREATE TABLE ${stage} (LIKE ${live} INCLUDING ALL)${storage ?? ''}`)
  await giveProperties(connection, { live, stage }, 'settings')
}

/**
 * REQUIRES: the indexes of the stage are built. `stage`: quoted. Throws EINVAL for a table that others hold by its identity, ESTALE for one
 * that has changed since the rehearsal.
 */
export async function swapIn(connection: PostgresConnection, address: TableAddress, stage: string): Promise<void> {
  const { schema, table, shown } = address
  const live = qualified(schema, table)
  await giveProperties(connection, { live, stage }, 'persistence')
  await giveProperties(connection, { live, stage }, 'settings')
  // Without statistics, queries have other plans until the server looks at the table by itself.
  await connection.query(`ANALYZE ${stage}`)
  await connection.query(`LOCK TABLE ${live} IN ACCESS EXCLUSIVE MODE`)
  await checkFree(connection, address)
  const before = await describe(connection, live)
  await goOn(connection, live, stage)
  await giveProperties(connection, { live, stage }, 'character')
  await giveProperties(connection, { live, stage }, 'owner')
  await giveRights(connection, { live, stage })
  await giveProperties(connection, { live, stage }, 'sequences')
  const old = asideName(table)
  await connection.query(`DROP TABLE IF EXISTS ${qualified(schema, old)}`)
  await swapPartNames(connection, { live, stage })
  await connection.query(`ALTER TABLE ${live} RENAME TO ${quoted(old)}`)
  await connection.query(`ALTER TABLE ${stage} RENAME TO ${quoted(table)}`)
  const difference = differenceOf(before, await describe(connection, live), { withNames: true })
  if (difference !== undefined)
    throw new GristmillError('ESTALE', `${shown} has changed since its rows were staged (${difference}); begin again`)
}

async function checkFree(connection: PostgresConnection, address: TableAddress): Promise<void> {
  const held = await heldBy(connection, qualified(address.schema, address.table))
  if (held !== undefined) throw refused(address, `${held} would stay with the table before`)
  await checkOld(connection, address)
}

/** A table with the name of the one that is put aside is dropped only if a swap has put it there. */
async function checkOld(connection: PostgresConnection, address: TableAddress): Promise<void> {
  const { schema, table } = address
  const old = asideName(table)
  const [found] = await connection.query('SELECT 1 FROM pg_class WHERE oid = to_regclass($1)', [qualified(schema, old)])
  if (!found) return
  const [swapped] = await connection.query(
    `SELECT 1 FROM ${qualified(schema, '_gristmill_commits')} WHERE destination = $1 AND mode = 'swap' LIMIT 1`, [table],
  )
  if (!swapped) throw refused(address, `there is a table ${schema}.${old} already, which no swap has put aside; rename that one`)
}

const refused = (
  { shown }: TableAddress, why: string, { code = 'EINVAL', cause }: { readonly code?: ErrorCode; readonly cause?: unknown } = {},
): GristmillError => new GristmillError(code, `${shown} cannot be swapped: ${why}; use upsert`, { cause })
