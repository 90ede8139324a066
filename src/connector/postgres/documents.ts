// JSON lines on their way into a table: they are loaded as documents into a temporary table first, from which PostgreSQL makes rows of the
// types of the columns. A value that a column does not hold is named by file, line and column.
// REQUIRES: an open transaction.

import { GristmillError } from '../../base/errors.ts'
import type { PostgresConnection } from '../../ports/postgres.ts'
import { CopyText } from './copytext.ts'
import { literal, quoted } from './names.ts'

interface DocumentsOf {
  /** Name of the file. */
  readonly name: string
  /** The table, quoted, whose columns the documents have. */
  readonly live: string
  readonly shown: string
}

const lines = 'gristmill_lines'

export class JsonDocuments {
  readonly #connection: PostgresConnection
  readonly #of: DocumentsOf
  #count = 0

  constructor(connection: PostgresConnection, of: DocumentsOf) {
    this.#connection = connection
    this.#of = of
  }

  async take(items: AsyncIterable<Uint8Array>): Promise<void> {
    const { name } = this.#of
    await this.#connection.query(
      `CREATE TEMPORARY TABLE ${lines} (n bigint GENERATED ALWAYS AS IDENTITY, line json) ON COMMIT DROP`,
    )
    const options = String.raw`(FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', ENCODING 'UTF8')`
    const text = new CopyText()
    const copying = this.#connection.copyIn(`COPY ${lines} (line) FROM STDIN WITH ${options}`, text.jsonLines(items, name))
    this.#count = await copying.catch((error: unknown) => { throw inFile(error, name, 0) })
    text.check(this.#count, name)
  }

  /** Adds the rows. Columns that no line has take their defaults; returns the others. Throws EINVAL. */
  async addTo(table: string, known: readonly string[]): Promise<readonly string[]> {
    const { live, name, shown } = this.#of
    const query = this.#connection.query.bind(this.#connection)
    await query('SAVEPOINT gristmill_rows')
    try {
      const found = await query(`SELECT DISTINCT key FROM ${lines}, json_object_keys(line) AS key WHERE line IS NOT NULL ORDER BY key`)
      const columns = found.map(([key]) => key!)
      const strange = columns.find(column => !known.includes(column))
      if (strange !== undefined)
        throw new GristmillError('EINVAL', `${name}: ${shown} has no column ${JSON.stringify(strange)}`)
      if (columns.length === 0) return columns
      await query(`INSERT INTO ${table} (${columns.map(quoted).join(', ')}) OVERRIDING SYSTEM VALUE
        SELECT ${columns.map(column => `r.${quoted(column)}`).join(', ')}
        FROM ${lines}, json_populate_record(NULL::${live}, line) AS r WHERE line IS NOT NULL`)
      return columns
    } catch (error) {
      const { sqlstate } = error instanceof GristmillError ? error.details : {}
      if (typeof sqlstate !== 'string' || !sqlstate.startsWith('22')) throw inFile(error, name, 0)
      await query('ROLLBACK TO SAVEPOINT gristmill_rows')
      throw await this.#placed() ?? inFile(error, name, 0)
    }
  }

  /** The first line with a value that a column does not hold; undefined if there is none. */
  async #placed(): Promise<GristmillError | undefined> {
    const { live, name } = this.#of
    const record = `json_populate_record(NULL::${live}, line)`
    let [from, to] = [1, this.#count]
    if (!await this.#fails(`SELECT count(${record}) FROM ${lines}`)) return undefined
    while (from < to) {
      const middle = Math.floor((from + to) / 2)
      if (await this.#fails(`SELECT count(${record}) FROM ${lines} WHERE n BETWEEN ${from} AND ${middle}`)) to = middle
      else from = middle + 1
    }
    const whole = await this.#fails(`SELECT ${record} FROM ${lines} WHERE n = ${from}`)
    const keys = `SELECT key FROM ${lines}, json_object_keys(line) AS key WHERE n = ${from}`
    if (!await this.#fails(keys)) {
      for (const [key] of await this.#connection.query(keys)) {
        const one = `json_populate_record(NULL::${live}, json_build_object(${literal(key!)}, line -> ${literal(key!)}))`
        const failure = await this.#fails(`SELECT ${one} FROM ${lines} WHERE n = ${from}`)
        if (failure) return placedAt(failure, `${name}, line ${from}, column ${JSON.stringify(key)}`)
      }
    }
    return whole && placedAt(whole, `${name}, line ${from}`)
  }

  /** The error of a statement, after which the transaction goes on. */
  async #fails(sql: string): Promise<GristmillError | undefined> {
    await this.#connection.query('SAVEPOINT gristmill_look')
    try {
      await this.#connection.query(sql)
      return undefined
    } catch (error) {
      if (!(error instanceof GristmillError) || error.details['sqlstate'] === undefined) throw error
      await this.#connection.query('ROLLBACK TO SAVEPOINT gristmill_look')
      return error
    }
  }
}

const placedAt = (error: GristmillError, place: string): GristmillError =>
  new GristmillError(error.code, `${place}: ${String(error.details['reason'])}`, { cause: error, details: error.details })

/** Names the file and its line in an error of COPY, whose lines begin behind `before` others; other errors get the name of the file. */
export function inFile(error: unknown, name: string, before: number): unknown {
  if (!(error instanceof GristmillError) || error.details['sqlstate'] === undefined) return error
  const { where, reason } = error.details
  const [, line, rest = ''] = typeof where === 'string' ? /^COPY \S+, line (\d+)(?:, (column [^]*?))?(?:: "[^]*)?$/.exec(where) ?? [] : []
  if (line === undefined) return new GristmillError(error.code, `${name}: ${error.message}`, { cause: error, details: error.details })
  const column = rest === '' || rest === 'column line' ? '' : `, ${rest}`
  return new GristmillError(
    error.code, `${name}, line ${Number(line) + before}${column}: ${String(reason)}`, { cause: error, details: error.details },
  )
}
