// JSON lines on their way into a table: they are loaded as documents into a temporary table first, from which PostgreSQL makes rows of the
// types of the columns. A value that a column does not hold is named by file, line and column.
// REQUIRES: an open transaction.

import { GristmillError } from '../../base/errors.ts'
import type { PostgresConnection } from '../../ports/postgres.ts'
import { CopyText } from './copytext.ts'
import { literal, quoted } from './names.ts'
import { checkKey, checkSets, givenColumn, givenText, setsMax } from './upsert.ts'

interface DocumentsOf {
  /** Name of the file. */
  readonly name: string
  /** The table, quoted, whose columns the documents have. */
  readonly live: string
  readonly shown: string
}

const lines = 'gristmill_lines'
/** Characters of a value in an error: as many as PostgreSQL shows. */
const shownMax = 100
/** Names of the columns of each line, sorted. */
const sets = 'gristmill_sets'

/** Statements that add the lines for which a condition holds as well, ` AND …`. */
type Statements = (which: string) => readonly string[]

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

  /** Adds the rows. Columns that no line has take their defaults. Throws EINVAL. */
  async addTo(table: string, known: readonly string[]): Promise<void> {
    await this.#add(async () => {
      const found = await this.#connection.query(
        `SELECT DISTINCT key FROM ${lines}, json_object_keys(line) AS key WHERE line IS NOT NULL ORDER BY key`,
      )
      const columns = found.map(([key]) => key!)
      this.#check(columns, known)
      return which => (columns.length > 0 ? [this.#insert(table, columns, { where: which })] : [])
    })
  }

  /** Adds the rows for an upsert by `key`: each with its own columns. Throws EINVAL. */
  async addEach(table: string, known: readonly string[], key: readonly string[]): Promise<void> {
    await this.#add(async () => {
      await this.#connection.query(`CREATE TEMPORARY TABLE ${sets} ON COMMIT DROP AS
        SELECT n, coalesce((SELECT json_agg(DISTINCT key ORDER BY key) FROM json_object_keys(line) AS key), '[]')::text AS columns
        FROM ${lines} WHERE line IS NOT NULL`)
      const found = await this.#connection.query(
        `SELECT columns, min(n) FROM ${sets} GROUP BY columns ORDER BY min(n) LIMIT ${setsMax + 1}`,
      )
      checkSets(this.#of.name, found.length)
      for (const [text, first] of found) {
        const columns = JSON.parse(text!) as string[]
        this.#check(columns, known)
        checkKey(`${this.#of.name}, line ${first}`, columns, key)
      }
      if (found.length > 1)
        await this.#connection.query(`CREATE INDEX ON ${sets} (columns, n); CREATE INDEX ON ${lines} (n); ANALYZE ${sets}, ${lines}`)
      return which => found.map(([text]) => {
        const columns = JSON.parse(text!) as string[]
        const ofSet = found.length > 1 ? ` AND ${lines}.n IN (SELECT n FROM ${sets} WHERE columns = ${literal(text!)})` : ''
        return this.#insert(table, columns, { given: givenText(known, columns), where: `${ofSet}${which}` })
      })
    })
  }

  #check(columns: readonly string[], known: readonly string[]): void {
    const strange = columns.find(column => !known.includes(column))
    if (strange !== undefined)
      throw new GristmillError('EINVAL', `${this.#of.name}: ${this.#of.shown} has no column ${JSON.stringify(strange)}`)
  }

  /** The table may have columns that have the names of those of `lines`. */
  #insert(table: string, columns: readonly string[], { given, where }: { readonly given?: string; readonly where: string }): string {
    const [into, from] = [columns.map(quoted), columns.map(column => `r.${quoted(column)}`)]
    if (given !== undefined) {
      into.push(quoted(givenColumn))
      from.push(literal(given))
    }
    return `INSERT INTO ${table} (${into.join(', ')}) OVERRIDING SYSTEM VALUE
      SELECT ${from.join(', ')} FROM ${lines}, json_populate_record(NULL::${this.#of.live}, ${lines}.line) AS r
      WHERE ${lines}.line IS NOT NULL${where}`
  }

  /** Adds all lines. Names the place of a value that does not fit. */
  async #add(prepare: () => Promise<Statements>): Promise<void> {
    await this.#connection.query('SAVEPOINT gristmill_rows')
    let statements: Statements | undefined
    try {
      statements = await prepare()
      for (const sql of statements('')) await this.#connection.query(sql)
    } catch (error) {
      const { name } = this.#of
      const { sqlstate } = error instanceof GristmillError ? error.details : {}
      const kind = String(sqlstate).slice(0, 2)
      if (kind !== '22' && kind !== '23') throw inFile(error, name, 0)
      await this.#connection.query('ROLLBACK TO SAVEPOINT gristmill_rows')
      throw (kind === '22' ? await this.#placed() : statements && await this.#refused(statements)) ?? inFile(error, name, 0)
    }
  }

  /** The first line that the table does not take behind those before it: a null, a check, a key that comes twice. */
  async #refused(statements: Statements): Promise<GristmillError | undefined> {
    const failed = (first: number, last: number) => this.#fails(statements(` AND ${lines}.n BETWEEN ${first} AND ${last}`).join('; '))
    let [from, to] = [1, this.#count]
    while (from < to) {
      const middle = Math.floor((from + to) / 2)
      // Lines that fit stay added until the transaction ends: each is added about once.
      if (await failed(from, middle)) to = middle
      else from = middle + 1
    }
    const failure = await failed(from, from)
    return failure && placedAt(failure, `${this.#of.name}, line ${from}`)
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
        if (!failure) continue
        const asked = `SELECT left(line ->> ${literal(key!)}, ${shownMax}) FROM ${lines} WHERE n = ${from}`
        const [[value] = []] = await this.#connection.query(asked)
        return placedAt(failure, `${name}, line ${from}, column ${JSON.stringify(key)}`, value ?? undefined)
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

/** `value`: the one that does not fit; some words of the server name it, and others do not. */
function placedAt(error: GristmillError, place: string, value?: string): GristmillError {
  const reason = String(error.details['reason'])
  const shown = value === undefined || reason.includes(`"${value}"`) ? '' : `: ${JSON.stringify(value)}`
  return new GristmillError(error.code, `${place}: ${reason}${shown}`, { cause: error, details: error.details })
}

/** Names the file and its line in an error of COPY, whose lines begin behind `before` others; other errors get the name of the file. */
export function inFile(error: unknown, name: string, before: number): unknown {
  if (!(error instanceof GristmillError) || error.details['sqlstate'] === undefined) return error
  const { where } = error.details
  // Before it stand the places inside of a value.
  const text = typeof where === 'string' ? where.slice(Math.max(0, where.search(/^COPY \S+, line /m))) : ''
  const [, line, column, value] = /^COPY \S+, line (\d+)(?:, column ([^]*?))?(?:: "([^]*)")?$/.exec(text) ?? []
  if (line === undefined) return new GristmillError(error.code, `${name}: ${error.message}`, { cause: error, details: error.details })
  const place = `${name}, line ${Number(line) + before}`
  return column === undefined || column === 'line' ? placedAt(error, place) : placedAt(error, `${place}, column ${column}`, value)
}
