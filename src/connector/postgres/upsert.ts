// Upsert: which columns each staged row has, and the statements that change only those. A stage has one more column, `givenColumn`, a text
// of a digit for each of its other columns: 1 if the file, or the line of JSON, has it. COPY fills it by its default, from a variable of
// the transaction. Rows with the same columns are one statement.

import { GristmillError } from '../../base/errors.ts'
import type { PostgresConnection } from '../../ports/postgres.ts'
import { literal, quoted } from './names.ts'

export const givenColumn = '_gristmill_given'
const variable = 'gristmill.given'

/** Sets of columns that rows of one export have: each is one statement, under the locks of those before. */
export const setsMax = 1_000

export const givenDefinition = `${quoted(givenColumn)} text NOT NULL DEFAULT current_setting('${variable}')`

/** `all`: columns of the stage, in its order. */
export const givenText = (all: readonly string[], given: readonly string[]): string =>
  all.map(name => (given.includes(name) ? '1' : '0')).join('')

/** Sets the value that COPY writes into the column until the transaction ends. */
export const setGiven = (given: string): string => `SELECT set_config('${variable}', ${literal(given)}, true)`

/** Throws EINVAL. `place`: the file, or a line of it. */
export function checkKey(place: string, columns: readonly string[], key: readonly string[]): void {
  const missing = key.find(name => !columns.includes(name))
  if (missing !== undefined)
    throw new GristmillError('EINVAL', `${place} has no column ${JSON.stringify(missing)}, which is part of the key`)
}

/** Throws EINVAL. `place`: the file, or the table. */
export function checkSets(place: string, count: number): void {
  if (count > setsMax)
    throw new GristmillError('EINVAL', `${place}: rows have more than ${setsMax} different sets of columns; give them the same columns`)
}

/** No constraint matches ON CONFLICT. */
const noConstraint = '42P10'

interface Upserting {
  readonly live: string
  readonly stage: string
  readonly key: readonly string[]
  /** Columns of the stage, in its order. */
  readonly all: readonly string[]
  readonly shown: string
}

/** REQUIRES: an open transaction. Throws EINVAL. */
export async function upsert(connection: PostgresConnection, upserting: Upserting): Promise<void> {
  const { live, stage, key, all, shown } = upserting
  const sets = await connection.query(`SELECT DISTINCT ${quoted(givenColumn)} FROM ${stage} LIMIT ${setsMax + 1}`)
  checkSets(shown, sets.length)
  if (sets.length > 1) {
    // Within one statement the server sees to it.
    const names = key.map(quoted)
    const [twice] = await connection.query(`SELECT concat_ws(', ', ${names.join(', ')}) FROM ${stage}
      WHERE ${names.map(name => `${name} IS NOT NULL`).join(' AND ')} GROUP BY ${names.join(', ')} HAVING count(*) > 1 LIMIT 1`)
    if (twice) throw new GristmillError('EINVAL', `${shown}: the key (${key.join(', ')}) = (${twice[0]}) comes a second time`)
    await connection.query(`CREATE INDEX ON ${stage} (${quoted(givenColumn)}); ANALYZE ${stage} (${quoted(givenColumn)})`)
  }
  const list = all.map(quoted).join(', ')
  for (const [given] of sets) {
    await connection.query(`INSERT INTO ${live} (${list}) OVERRIDING SYSTEM VALUE SELECT ${list} FROM ${stage}
      WHERE ${quoted(givenColumn)} = ${literal(given!)} ${conflictClause(all, given!, key)}`).catch((error: unknown) => {
      if (!(error instanceof GristmillError) || error.details['sqlstate'] !== noConstraint) throw error
      throw new GristmillError(
        'EINVAL', `${shown}: the table has no unique index on the columns of the key (${key.join(', ')}), and no primary key of them`,
        { cause: error },
      )
    })
  }
}

/** `given`: as in the stage. */
export function conflictClause(all: readonly string[], given: string, key: readonly string[]): string {
  const others = all.filter((name, at) => given[at] === '1' && !key.includes(name))
  const changes = others.map(name => `${quoted(name)} = excluded.${quoted(name)}`)
  return `ON CONFLICT (${key.map(quoted).join(', ')}) DO ${changes.length === 0 ? 'NOTHING' : `UPDATE SET ${changes.join(', ')}`}`
}
