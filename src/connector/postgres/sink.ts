// Sink: rows of CSV files or JSON lines into a table of PostgreSQL, under the mode that the caller names:
//   swap    the rows replace those of the table: they are loaded into a new table, which takes the name, and the properties, of the table
//           in the commit; the table before stays as NAME_old
//   append  the rows are added
//   upsert  a row changes the one with the same key, in the columns that its file, or its line of JSON, has, or is added
// Parts are staged by COPY into a table beside, _gristmill_stage_TOKEN, each in one transaction with a row in _gristmill_parts that says
// so: a part whose reply was lost is staged once. A commit is one transaction, with the token in _gristmill_commits.
// INVARIANT: the table is locked in the commit only, and no longer than `lockMs` are waited for the lock.

import { GristmillError, hasCode } from '../../base/errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { OpenPostgres, PostgresConnection } from '../../ports/postgres.ts'
import { checkHeader, StageAgain, type Committed, type FilePart, type OutsideSink } from '../connector.ts'
import { LineRate } from '../linerate.ts'
import { CopyText } from './copytext.ts'
import { headed } from './header.ts'
import { inFile, JsonDocuments } from './documents.ts'
import { buildIndexes, isOfRows } from './indexes.ts'
import { literal, qualified, quoted, type TableAddress } from './names.ts'
import { takeNumbers } from './numbers.ts'
import { closeStage } from './rights.ts'
import { createStage, swapIn } from './swap.ts'
import { checkKey, givenColumn, givenDefinition, givenText, setGiven, upsert } from './upsert.ts'

export const loadModes = ['swap', 'append', 'upsert'] as const
export type LoadMode = (typeof loadModes)[number]

interface TableReceipt { readonly name: string }

interface SinkDeps { readonly open: OpenPostgres; readonly clock: Pick<Clock, 'mono' | 'sleep'> }
interface SinkOptions {
  readonly mode: LoadMode
  /** Columns of the key; upsert only. */
  readonly key?: readonly string[] | undefined
  /** Rows a second at most, of all parts that are staged at the same time; default: no bound. */
  readonly rate?: number | undefined
}

const lockMs = 5_000
/** A session that hangs in the middle of its transaction is ended by the server. */
const idleMs = 600_000

/** Throws EINVAL for an upsert without a key, and a key of another mode. */
export function checkMode(mode: LoadMode, key: readonly string[] | undefined): void {
  if ((mode === 'upsert') !== (key !== undefined && key.length > 0))
    throw new GristmillError('EINVAL', 'an upsert needs the columns of its key, and the other modes have none')
}

export class PostgresRows implements OutsideSink<FilePart, Uint8Array, TableReceipt> {
  readonly shown: string
  readonly isGuarded = false
  readonly #deps: SinkDeps
  readonly #address: TableAddress
  readonly #options: SinkOptions
  /** The table, quoted. */
  readonly #live: string
  readonly #pace: LineRate | undefined
  /** Rows do not fit into an index: the next ones are looked at as they come, and the server names the line. */
  #isChecking = false

  /** Throws EINVAL for an upsert without a key. */
  constructor(deps: SinkDeps, address: TableAddress, options: SinkOptions) {
    checkMode(options.mode, options.key)
    this.#deps = deps
    this.#address = address
    this.#options = options
    this.#live = qualified(address.schema, address.table)
    this.#pace = options.rate === undefined ? undefined : new LineRate(deps, options.rate)
    this.shown = `${address.shown} (${options.mode}${options.key ? ` by ${options.key.join(', ')}` : ''})`
  }

  async committed(token: string, signal?: AbortSignal): Promise<Committed | undefined> {
    return this.#with(async connection => {
      await this.#prepare(connection)
      const last = await this.#last(connection, token)
      return last === undefined ? undefined : { token: last, parts: [] }
    }, signal)
  }

  /** Drops stages of other content, which a swap replaces anyway. Of rows to be added, each load counts. */
  async sweep(token: string, _parts: readonly FilePart[], signal?: AbortSignal): Promise<void> {
    if (this.#options.mode !== 'swap') return
    await this.#with(async connection => {
      const stages = await connection.query(
        `SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace AND relname LIKE '\\_gristmill\\_stage\\_%' AND relname <> $2
         AND obj_description(oid) = $3`, [quoted(this.#address.schema), stageName(token), this.shown],
      )
      for (const [name] of stages) {
        await connection.query(`BEGIN; SET LOCAL lock_timeout = ${lockMs}; DROP TABLE ${this.#own(name!)};
          DELETE FROM ${this.#own('_gristmill_parts')} WHERE token LIKE ${literal(`${name!.slice(stagePrefix.length)}%`)}; COMMIT`)
      }
    }, signal)
  }

  async stage(token: string, part: FilePart, items: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<TableReceipt> {
    const { name } = part
    checkHeader(part)
    const kind = /\.(csv|jsonl|ndjson)$/.exec(name)?.[1]
    if (kind === undefined)
      throw new GristmillError('EINVAL', `${name}: rows for PostgreSQL come from .csv files with a header, and from .jsonl files`)
    return this.#with(async connection => {
      await this.#makeStage(connection, token)
      await connection.query('BEGIN')
      // Attempts of one part wait for each other here; the second one finds that the first has committed.
      const [isNew] = await connection.query(
        `INSERT INTO ${this.#own('_gristmill_parts')} (token, part) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING part`, [token, name],
      )
      if (!isNew) {
        await connection.query('ROLLBACK')
        return { name }
      }
      const rows = this.#pace?.lines(items, signal) ?? items
      await (kind === 'csv' ? this.#copyCsv(connection, token, name, rows) : this.#copyJson(connection, token, name, rows))
      // Keys that are deferred are looked at here.
      await connection.query('COMMIT').catch((error: unknown) => { throw inFile(error, name, 0) })
      return { name }
    }, signal).catch((error: unknown) => { throw this.#ofTable(error, token) })
  }

  /** The stage and its constraints have the names that the table has given them. */
  #ofTable(error: unknown, token: string): unknown {
    if (!(error instanceof GristmillError) || !error.message.includes(stageName(token))) return error
    const { code, message, details } = error
    return new GristmillError(code, message.replaceAll(stageName(token), this.#address.table), { cause: error, details })
  }

  async commit(token: string, receipts: readonly TableReceipt[], _before: Committed | undefined, signal?: AbortSignal): Promise<void> {
    const stage = this.#own(stageName(token))
    const committing = this.#with(async connection => {
      if (this.#options.mode === 'swap') await buildIndexes(connection, { live: this.#live, stage, shown: this.shown })
      await connection.query('BEGIN')
      await connection.query(`SET LOCAL lock_timeout = ${lockMs}`)
      // One commit at a time, for all tables of the schema; a repeat waits for the one before it.
      await connection.query(`LOCK TABLE ${this.#own('_gristmill_commits')} IN SHARE ROW EXCLUSIVE MODE`)
      if (await this.#last(connection, token) === token) return void await connection.query('ROLLBACK')
      const [[staged] = []] = await connection.query(`SELECT count(*) FROM ${this.#own('_gristmill_parts')} WHERE token = $1`, [token])
      if (Number(staged) !== receipts.length)
        throw new GristmillError('ESTALE', `${this.shown}: ${staged} of ${receipts.length} parts are staged; begin again`)
      const [[rows] = []] = await connection.query(`SELECT count(*) FROM ${stage}`)
      if (this.#options.mode === 'swap') await swapIn(connection, this.#address, stage)
      else await this.#add(connection, stage)
      if (this.#options.mode !== 'swap') await connection.query(`DROP TABLE ${stage}`)
      await connection.query(`DELETE FROM ${this.#own('_gristmill_parts')} WHERE token = $1`, [token])
      await connection.query(
        `INSERT INTO ${this.#own('_gristmill_commits')} (destination, token, mode, at, relation, rows)
         VALUES ($1, $2, $3, clock_timestamp(), to_regclass($4), $5)
         ON CONFLICT (destination, token) DO UPDATE SET at = excluded.at, relation = excluded.relation, rows = excluded.rows`,
        [this.#address.table, token, this.#options.mode, this.#live, rows!],
      )
      await connection.query('COMMIT')
    }, signal)
    await committing.catch(async (error: unknown) => {
      // The staged rows are of no use to a repeat.
      if (this.#options.mode !== 'swap' || !hasCode(error, 'ESTALE') && !isOfRows(error)) throw error
      await this.discard(token)
      if (!isOfRows(error) || this.#isChecking) throw error
      this.#isChecking = true
      throw new StageAgain('', { cause: error })
    })
  }

  /** Staged parts stay for a repeat, which continues them. */
  async abort(): Promise<void> {}

  async discard(token: string): Promise<void> {
    await this.#with(async connection => {
      await connection.query(`BEGIN; SET LOCAL lock_timeout = ${lockMs}; DROP TABLE IF EXISTS ${this.#own(stageName(token))};
        DELETE FROM ${this.#own('_gristmill_parts')} WHERE token = ${literal(token)}; COMMIT`)
    }).catch(() => undefined)
  }

  /**
   * The commit that decides whether this one is done: of rows that are added, this one, if the table is the one to which it has added them;
   * else the last one to this very table. A table that was swapped must also have as many rows as its load had.
   */
  async #last(connection: PostgresConnection, token: string): Promise<string | undefined> {
    const { mode } = this.#options
    const [row] = await connection.query(
      `SELECT token, mode, rows FROM ${this.#own('_gristmill_commits')} WHERE destination = $1 AND relation = to_regclass($2)
       ORDER BY ${mode === 'append' ? `token = ${literal(token)} DESC, ` : ''}at DESC LIMIT 1`, [this.#address.table, this.#live],
    )
    if (!row) return undefined
    const [last, how, rows] = row
    if (mode !== 'swap' || how !== 'swap' || last !== token) return last!
    // The owner may have taken this right from himself, and the new table is as the one before.
    const [[isReadable] = []] = await connection.query(`SELECT has_table_privilege(to_regclass($1), 'SELECT')`, [this.#live])
    if (isReadable !== 't') return undefined
    const [[count] = []] = await connection.query(`SELECT count(*) FROM ${this.#live}`)
    return count === rows ? last : undefined
  }

  #own(name: string): string { return qualified(this.#address.schema, name) }

  async #with<T>(work: (connection: PostgresConnection) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const connection = await this.#deps.open(this.#address.server, signal)
    try {
      await connection.query(`SET idle_in_transaction_session_timeout = ${idleMs}`)
      return await work(connection)
    } finally {
      await connection.close()
    }
  }

  /** Tables of the connector, in the schema of the table. */
  async #prepare(connection: PostgresConnection): Promise<void> {
    const [found] = await connection.query(`SELECT relkind FROM pg_class WHERE oid = to_regclass($1)`, [this.#live])
    if (!found) throw new GristmillError('ENOENT', `${this.#address.shown} does not exist; create it, empty and with its types and indexes`)
    if (found[0] !== 'r') throw new GristmillError('EINVAL', `${this.#address.shown} is not a plain table`)
    // Two sessions that create one table at the same time fail without the lock.
    await connection.query(`BEGIN; SELECT pg_advisory_xact_lock(hashtext('gristmill'));
      CREATE TABLE IF NOT EXISTS ${this.#own('_gristmill_commits')}
        (destination text, token text, mode text NOT NULL, at timestamptz NOT NULL, relation oid, rows bigint,
        PRIMARY KEY (destination, token));
      CREATE TABLE IF NOT EXISTS ${this.#own('_gristmill_parts')} (token text, part text, PRIMARY KEY (token, part)); COMMIT`)
      .catch((error: unknown) => {
        if (!hasCode(error, 'EACCES')) throw error
        throw new GristmillError(
          'EACCES', `${this.#address.shown}: ${error.message}; the user needs the right to create tables in the schema: rows are staged there, `
          + 'and _gristmill_commits says what was loaded', { cause: error },
        )
      })
  }

  /**
   * A swap makes the table that will take the name, with its checks: rows that break them fail when they are staged. Its indexes are built
   * by the commit, unless rows have not fitted into them. It is refused here, with nothing written, if the table has what a new one would
   * not have.
   */
  async #makeStage(connection: PostgresConnection, token: string): Promise<void> {
    const stage = this.#own(stageName(token))
    const { mode } = this.#options
    await connection.query(`BEGIN; SELECT pg_advisory_xact_lock(hashtext('gristmill')); SET LOCAL lock_timeout = ${lockMs}`)
    if (mode === 'upsert') await this.#dropUnmarked(connection, token)
    const [found] = await connection.query('SELECT 1 FROM pg_class WHERE oid = to_regclass($1)', [stage])
    if (found) return void await connection.query('COMMIT')
    if (mode === 'swap') await createStage(connection, this.#address, { stage, isBare: !this.#isChecking })
    else {
      const given = mode === 'upsert' ? `, ${givenDefinition}` : ''
      await connection.query(`CREATE TABLE ${stage} (LIKE ${this.#live} INCLUDING DEFAULTS INCLUDING GENERATED${given})`)
    }
    await closeStage(connection, stage)
    if (mode !== 'swap') await takeNumbers(connection, this.#live, stage)
    await connection.query(`COMMENT ON TABLE ${stage} IS ${literal(this.shown)}`)
    await connection.query('COMMIT')
  }

  /** A stage of an earlier version does not say which columns its rows have: they are staged again. */
  async #dropUnmarked(connection: PostgresConnection, token: string): Promise<void> {
    const stage = this.#own(stageName(token))
    const [unmarked] = await connection.query(
      `SELECT 1 FROM pg_class c WHERE c.oid = to_regclass($1)
         AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = $2 AND NOT attisdropped)`, [stage, givenColumn],
    )
    if (!unmarked) return
    await connection.query(`DROP TABLE ${stage}; DELETE FROM ${this.#own('_gristmill_parts')} WHERE token = ${literal(token)}`)
  }

  async #copyCsv(connection: PostgresConnection, token: string, name: string, items: AsyncIterable<Uint8Array>): Promise<void> {
    const stage = this.#own(stageName(token))
    const { columns, lines, rows } = await headed(items, name)
    if (!columns) return
    const { mode, key = [] } = this.#options
    if (mode === 'upsert') {
      checkKey(name, columns, key)
      await connection.query(setGiven(givenText(await this.#columns(connection, stage), columns)))
    }
    if (columns.includes(givenColumn)) throw new GristmillError('EINVAL', `${name}: ${this.#address.shown} has no column "${givenColumn}"`)
    const list = columns.map(quoted).join(', ')
    const text = new CopyText()
    const copy = `COPY ${stage} (${list}) FROM STDIN WITH (FORMAT csv, ENCODING 'UTF8')`
    text.check(await connection.copyIn(copy, text.csv(rows)).catch((error: unknown) => { throw inFile(error, name, lines) }), name)
  }

  /** The lines go into a table of documents first, from which PostgreSQL makes rows of the right types. */
  async #copyJson(connection: PostgresConnection, token: string, name: string, items: AsyncIterable<Uint8Array>): Promise<void> {
    const stage = this.#own(stageName(token))
    const documents = new JsonDocuments(connection, { name, live: this.#live, shown: this.#address.shown })
    await documents.take(items)
    const { mode, key = [] } = this.#options
    const known = await this.#columns(connection, stage)
    await (mode === 'upsert' ? documents.addEach(stage, known, key) : documents.addTo(stage, known))
  }

  /** Columns of a table or stage that are written: all but those that PostgreSQL computes. */
  async #columns(connection: PostgresConnection, table: string): Promise<string[]> {
    const rows = await connection.query(
      `SELECT attname FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
         AND attname <> $2 ORDER BY attnum`, [table, givenColumn],
    )
    return rows.map(([name]) => name!)
  }

  async #add(connection: PostgresConnection, stage: string): Promise<void> {
    const { mode, key = [] } = this.#options
    if (mode === 'upsert')
      return upsert(connection, { live: this.#live, stage, key, all: await this.#columns(connection, stage), shown: this.shown })
    const list = (await this.#columns(connection, this.#live)).map(quoted).join(', ')
    await connection.query(`INSERT INTO ${this.#live} (${list}) OVERRIDING SYSTEM VALUE SELECT ${list} FROM ${stage}`)
  }
}

const stagePrefix = '_gristmill_stage_'
const stageName = (token: string): string => `${stagePrefix}${token.slice(0, 32)}`
