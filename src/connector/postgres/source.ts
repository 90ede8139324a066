// Source: a table of PostgreSQL as JSON lines, a line for each row, in which names and types of columns are kept: numbers with all their
// digits, booleans, null, arrays, nested documents; other types as PostgreSQL writes them. One session exports its snapshot and holds it
// while the source is open; each split, a range of the table's pages, is read by another one under that snapshot. A session that has read
// a split reads the next. A split that is read again gives the same bytes: pages of a snapshot do not change their order.
// INVARIANT: at most as many sessions at a time as the caller reads splits at a time, and one more.

import { GristmillError, hasCode } from '../../base/errors.ts'
import type { OpenPostgres, PostgresConnection } from '../../ports/postgres.ts'
import { behind } from '../skip.ts'
import type { FilePin, FileSplit, OutsideFiles } from '../connector.ts'
import { fieldOf, type TableField } from './fields.ts'
import { literal, qualified, type TableAddress } from './names.ts'
import { RowLines } from './rowlines.ts'
import { sqlType } from './types.ts'

/** Bytes of a page of a table. */
const pageBytes = 8192
/** One order of rows, and one form of each value, whatever the settings of the user and the database. */
const settings = [
  `TimeZone = 'UTC'`, `DateStyle = 'ISO'`, `IntervalStyle = 'iso_8601'`, 'extra_float_digits = 1', `bytea_output = 'hex'`,
  'quote_all_identifiers = off', 'standard_conforming_strings = on', 'transform_null_equals = off', 'synchronize_seqscans = off',
  'max_parallel_workers_per_gather = 0',
]

/** Kinds of relations that LOCK TABLE takes: tables, tables of partitions, views. */
const lockable: ReadonlySet<string> = new Set(['r', 'p', 'v'])

interface SourceDeps { readonly open: OpenPostgres }

interface SourceOptions {
  /** Each value is the text that PostgreSQL writes for it, or null: a reader casts it to the type of its column, and loses no digit. */
  readonly isText?: boolean | undefined
}

/** A column of the table: its name, and the type of our SQL that holds all of its values. */
export interface PostgresColumn { readonly name: string; readonly type: string }

/** A type of another schema may have the name of one of the server's own. */
const columnsQuery = `SELECT a.attname, CASE t.typnamespace WHEN 'pg_catalog'::regnamespace THEN t.typname ELSE '' END,
    format_type(a.atttypid, a.atttypmod)
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`

export class PostgresTable implements OutsideFiles {
  readonly shown: string
  readonly #deps: SourceDeps
  readonly #address: TableAddress
  readonly #isText: boolean
  #holder: PostgresConnection | undefined
  /** Sessions that have read a split, and are in the transaction of the snapshot. */
  #idle: Session[] = []
  #pages = 0
  #columns: readonly PostgresColumn[] = []
  #fields: readonly TableField[] = []

  constructor(deps: SourceDeps, address: TableAddress, { isText = false }: SourceOptions = {}) {
    this.#deps = deps
    this.#address = address
    this.#isText = isText
    this.shown = address.shown
  }

  /** In their order in the table. REQUIRES: `isText`, and the table is pinned. */
  get columns(): readonly PostgresColumn[] { return this.#columns }

  async * pin(signal?: AbortSignal): AsyncGenerator<FilePin> {
    const { schema, table, server } = this.#address
    const holder = await this.#deps.open(server, signal)
    this.#holder = holder
    const [kind] = await holder.query('SELECT c.relkind FROM pg_class c WHERE c.oid = to_regclass($1)', [qualified(schema, table)])
    if (!kind) throw new GristmillError('ENOENT', `${this.shown} does not exist`)
    await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    // TRUNCATE and some forms of ALTER TABLE are seen by older snapshots: they wait until the table is read.
    if (lockable.has(kind[0]!)) await holder.query(`LOCK TABLE ${qualified(schema, table)} IN ACCESS SHARE MODE`)
    const [[snapshot] = []] = await holder.query('SELECT pg_export_snapshot()')
    // Views, partitioned and foreign tables have no pages of their own: they are read by one session.
    if (kind[0] === 'r' || kind[0] === 'm') {
      const [[bytes] = []] = await holder.query('SELECT pg_relation_size(to_regclass($1))', [qualified(schema, table)])
      this.#pages = Math.ceil(Number(bytes) / pageBytes)
    }
    const columns = await holder.query(columnsQuery, [qualified(schema, table)])
    if (this.#isText && columns.length === 0) throw new GristmillError('EINVAL', `${this.shown} has no columns`)
    this.#columns = columns.map(([name, type, form]) => ({ name: name!, type: sqlType(type!, form!) }))
    this.#fields = columns.map(([name, type]) => fieldOf(name!, type!, { isText: this.#isText }))
    yield { name: `${table}.jsonl`, url: this.shown, etag: snapshot!, ranges: true, sums: [] }
  }

  /** Ranges of pages: `start` and `end` are numbers of pages here. */
  split(pin: FilePin, sizeMax: number): readonly FileSplit[] {
    const pages = Math.max(1, Math.floor(sizeMax / pageBytes))
    const splits: FileSplit[] = []
    for (let start = 0; start < this.#pages; start += pages) splits.push({ pin, start, end: start + pages })
    const last = splits.pop()
    // Without an end: pages that were added after the size was asked for have no rows of this snapshot, or are read too.
    return [...splits, { pin, start: last?.start ?? 0 }]
  }

  /** The rows of a view, and of a table of partitions, have no order that a second read would repeat. */
  resumes(): boolean { return this.#pages > 0 }

  async * read({ pin, start, end }: FileSplit, position: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const { schema, table } = this.#address
    const session = this.#idle.pop() ?? await this.#opened(pin, signal)
    let isRead = false
    try {
      const pages = this.#pages === 0 ? ''
        : ` WHERE t.ctid >= '(${start},0)'::tid${end === undefined ? '' : ` AND t.ctid < '(${end},0)'::tid`}`
      // `t` alone would be a column of that name.
      const rows = `SELECT ${this.#fields.map(({ select }) => select).join(', ')} FROM ${qualified(schema, table)} AS t${pages}`
      const lines = new RowLines(this.#fields, this.shown)
      yield* behind(session.connection.copyOut(`COPY (${rows}) TO STDOUT WITH (FORMAT text, ENCODING 'UTF8')`, lines), position)
      isRead = true
    } finally {
      // An abort ends the sessions that were opened with its signal: only reads of the same caller take them.
      if (isRead && session.signal === signal) this.#idle.push(session)
      else await this.#end(session)
    }
  }

  async close(): Promise<void> { await Promise.all([this.#holder?.close(), this.#end()]) }

  async #opened(pin: FilePin, signal: AbortSignal | undefined): Promise<Session> {
    const connection = await this.#deps.open(this.#address.server, signal)
    try {
      const begin = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT ${literal(pin.etag!)}`
      await connection.query(begin).catch((error: unknown) => {
        if (!hasCode(error, 'EINVAL')) throw error
        throw new GristmillError('ESTALE', `${this.shown}: the snapshot of the import is gone; begin again`, { cause: error })
      })
      await connection.query(settings.map(setting => `SET LOCAL ${setting}`).join('; '))
      return { connection, signal }
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  /** Ends the session that has failed, and those that wait: they may have failed with it. */
  async #end(session?: Session): Promise<void> {
    const ended = [...this.#idle, ...session ? [session] : []]
    this.#idle = []
    await Promise.all(ended.map(({ connection }) => connection.close()))
  }
}

/** `signal`: of the read that has opened it. */
interface Session { readonly connection: PostgresConnection; readonly signal: AbortSignal | undefined }
