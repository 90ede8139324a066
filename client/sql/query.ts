// `mill.sql`: one query. It runs when its rows are first asked for: in this process over files of this machine, and over small ones of
// the cluster, which are fetched; else as a job of the cluster.

import { abortError, throwIfAborted } from '../../src/base/abort.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { normalise } from '../../src/base/paths.ts'
import { literalOf, literalsOf, quotedName, type SqlColumn, type SqlValue } from '../../src/base/sql.ts'
import { formatBytes, MiB } from '../../src/base/units.ts'
import type { Database, OpenDatabase } from '../../src/ports/database.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Random } from '../../src/ports/random.ts'
import type { JobStatus } from '../../src/protocol/job.ts'
import type { Job } from '../jobs/job.ts'
import { Run } from '../jobs/running.ts'
import type { SqlCluster } from './cluster.ts'
import { readCommand, type SqlCommand } from './command.ts'
import { runCommand } from './commands.ts'
import type { Distribute, Division } from './division.ts'
import { defineTables, pathsOf, Workspace, type PlacedTable } from './here.ts'
import { explanationOf, type SqlExplanation } from './explained.ts'
import { parquetQuery } from './carried.ts'
import { noRows, resultColumns, sentQuery } from './carriedtypes.ts'
import { asQueryError, forgetRows, submitQuery, waitForRows } from './job.ts'
import { planJob, shapeOfTable, type PlannedQuery } from './planning.ts'
import type { LayoutParts } from './stages.ts'
import { readStatement, type SqlParams, type Statement } from './statement.ts'
import { resolveNames, type ResolvedQuery } from './names.ts'
import { catalogTable, checkName, clusterTable, isPathName, localName, localTable, type SqlTable } from './tables.ts'

export interface SqlOptions {
  /** Memory of the query in this process, or of each task; default: 1 GiB, and that of jobs. */
  readonly memoryBytes?: number | undefined
  /** Tables of the cluster that have this size altogether are fetched, and the query runs in this process; default: 16 MiB. */
  readonly localBytes?: number | undefined
  /**
   * Whether tasks divide a query over files of the cluster. Default: auto, where the sizes of its tables say that it pays. `always` also
   * divides small ones, which are not fetched.
   */
  readonly distribute?: Distribute | undefined
  /** Queue by which the tasks of its job get slots; default: `default`. */
  readonly queue?: string | undefined
  /** Called with the job of the query, if it has one. */
  readonly onJob?: ((job: Job) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

export interface SqlSaveOptions {
  /** Default: parquet. */
  readonly format?: 'parquet' | 'csv' | undefined
  /** Replaces the output of an earlier job, which is kept as a version. */
  readonly overwrite?: boolean | undefined
  /** With `overwrite`: replaces any directory. */
  readonly force?: boolean | undefined
}

interface SqlTools {
  readonly disk: Disk
  readonly random: Random
  readonly openDatabase: OpenDatabase | undefined
  readonly scratchDir: string
  /** Base of relative local paths, and the place of `~`, which only a shell user has. */
  readonly cwd: string
  readonly home?: string | undefined
  /** Throws if there is no cluster. Called for a query that reads one. */
  readonly cluster: () => Promise<SqlCluster>
  /** For tests: how queries are divided. */
  readonly division?: Division | undefined
}

/** A row under the names of its columns; a second column of a name gets a number: `n`, `n_1`. */
export type SqlRow = Readonly<Record<string, SqlValue>>

const memoryDefault = 1024 * MiB
const parserBytes = 64 * MiB
/** A job takes longer to start than these take to read. */
const localBytesDefault = 16 * MiB

type Planning = { readonly sql: string; readonly tables: readonly SqlTable[] }

interface Asked { readonly statement: Statement; readonly tables: readonly SqlTable[] }

export class SqlQuery implements AsyncIterable<SqlRow> {
  readonly #tools: SqlTools
  readonly #text: string
  readonly #params: SqlParams | undefined
  readonly #options: SqlOptions

  constructor(tools: SqlTools, text: string, params: SqlParams | undefined, options: SqlOptions) {
    this.#tools = tools
    this.#text = text
    this.#params = params
    this.#options = options
  }

  /** Rows one by one. Leaving the loop ends the query. Each loop runs it again. */
  async *[Symbol.asyncIterator](): AsyncGenerator<SqlRow, void, undefined> {
    await using running = await this.run()
    const names = uniqueNames(running.columns)
    for await (const rows of running.batches())
      for (const row of rows) yield Object.fromEntries(names.map((name, i) => [name, row[i]!]))
  }

  /** All rows. */
  async collect(): Promise<SqlRow[]> {
    return Array.fromAsync(this)
  }

  /**
   * Computes the rows as a job, whose output is published at `path`, with its history. Resolves when it is submitted. Throws EEXIST for an
   * output that exists (unless `overwrite`), EINVAL for tables of this machine.
   */
  async save(path: string, { format = 'parquet', overwrite, force }: SqlSaveOptions = {}): Promise<Run> {
    const { disk, openDatabase, scratchDir, random } = this.#tools
    const { signal, memoryBytes, queue } = this.#options
    throwIfAborted(signal)
    const engine = engineOf(openDatabase)
    const { statement: { sql, explain }, tables } = await this.#asked(engine)
    if (explain) throw new GristmillError('EINVAL', 'EXPLAIN has no rows that could be saved; leave out the output, or EXPLAIN')
    const local = tables.find(table => table.files.some(file => file.local !== undefined))
    if (local)
      throw new GristmillError('EINVAL', `${local.name} is a file of this machine, which no task can read; put it into the cluster`)
    const { cluster } = await this.#tools.cluster()
    await using space = new Workspace(disk, `${scratchDir}/sql-${random.id()}`)
    try {
      const laid = await this.#plan(space, engine, { sql, tables }, (query, columns) =>
        ({ sql: parquetQuery(query, columns, uniqueNames(columns)), output: { kind: 'rows', format } }))
      const job = await submitQuery(cluster, {
        tables, ...laid, text: this.#text, memoryBytes, queue, signal, output: { path: normalise(path), format, overwrite, force },
      })
      return new Run(cluster, job.id)
    } catch (error) {
      throw explained(error, space)
    }
  }

  /**
   * Explains how the query would run: the stages of its job, or the engine's plan if it runs in this process. `analyze`: runs it, drops its
   * rows, and tells what each stage has done.
   */
  async explain({ analyze = false }: { readonly analyze?: boolean } = {}): Promise<SqlExplanation> {
    return this.#begun(async (space, engine, asked) => {
      await using _ = space
      // Awaited here, so that the workspace is there until it is done.
      return await this.#explained(space, engine, asked, analyze || asked.statement.explain === 'analyze')
    })
  }

  /** Its columns. Nothing is computed, and no job is submitted. */
  async columns(): Promise<readonly SqlColumn[]> {
    return this.#begun(async (space, engine, asked) => {
      await using _ = space
      if (asked.statement.explain) return [{ name: 'plan', type: { kind: 'plain', name: 'VARCHAR' } }]
      if (!this.#isSmall(asked.tables)) return (await this.#planned(space, engine, asked)).columns
      await using running = await this.#here(space, engine, asked)
      return running.columns
    })
  }

  /** Starts the query: its columns, and its rows as arrays. REQUIRES: the caller disposes of it. */
  async run(): Promise<RunningQuery> {
    const command = readCommand(this.#text)
    if (command) return this.#changed(command)
    return this.#begun(async (space, engine, asked) => {
      const { explain } = asked.statement
      if (!explain) return this.#isSmall(asked.tables) ? this.#here(space, engine, asked) : this.#job(space, engine, asked)
      const { text } = await this.#explained(space, engine, asked, explain === 'analyze')
      const running = new RunningQuery(await space.open(engine, memoryDefault, 1), space, this.#options.signal, { isExplanation: true })
      return running.begin(async db => {
        await db.confine([space.result])
        const sql = `SELECT unnest(${literalsOf(text.trimEnd().split('\n'))}) AS plan`
        return { sql, columns: await db.columnsOf(sql) }
      })
    })
  }

  /** Runs a statement that changes the catalogue or writes a table; its rows say what was done. */
  async #changed(command: SqlCommand): Promise<RunningQuery> {
    const { disk, openDatabase, scratchDir, random } = this.#tools
    const { signal, ...options } = this.#options
    throwIfAborted(signal)
    const engine = engineOf(openDatabase)
    const isQuery = 'query' in command
    if (!isQuery && this.#params !== undefined && Object.keys(this.#params).length > 0)
      throw new GristmillError('EINVAL', 'this statement has no parameters')
    const { cluster, files } = await this.#tools.cluster()
    const query = (text: string): SqlQuery =>
      new SqlQuery(this.#tools, text, isQuery ? this.#params : undefined, { ...options, signal })
    const { names, rows } = await runCommand(command, {
      cluster, signal,
      save: async (text, path, given) => {
        if (localName(path, this.#tools) !== undefined) throw new GristmillError('EINVAL', `${path} is no path of the cluster`)
        const run = await query(text).save(path, given)
        this.#options.onJob?.(run)
        await run.wait({ signal }).catch((error: unknown) => { throw asQueryError(error) })
      },
      row: async text => {
        await using running = await query(text).run()
        for await (const [row] of running.batches()) return row!
        throw new GristmillError('INTERNAL', 'the query has returned no row')
      },
      columns: async text => {
        const asked = await query(text).#asked(engine)
        if (asked.statement.explain) throw new GristmillError('EINVAL', 'a view is a query that gives rows, not EXPLAIN')
        const local = asked.tables.find(table => table.files.some(file => file.local !== undefined))
        if (local) throw new GristmillError('EINVAL', `${local.name} is a file of this machine, which other users of the view do not have`)
        await using space = new Workspace(disk, `${scratchDir}/sql-${random.id()}`)
        return (await query(text).#planned(space, engine, asked)).columns
      },
      shape: async path => {
        if (localName(path, this.#tools) !== undefined) throw new GristmillError('EINVAL', `${path} is no path of the cluster`)
        const table = await clusterTable(cluster.ask, path, signal)
        await using space = new Workspace(disk, `${scratchDir}/sql-${random.id()}`)
        return { shape: await shapeOfTable(table, { disk, files, space, openDatabase: engine, signal }), bytes: bytesOf(table) }
      },
    })
    const space = new Workspace(disk, `${scratchDir}/sql-${random.id()}`)
    try {
      const running = new RunningQuery(await space.open(engine, memoryDefault, 1), space, signal)
      return await running.begin(async db => {
        await db.confine([space.result])
        const texts = (row: readonly (string | null)[]): string =>
          `(${row.map(each => `CAST(${each === null ? 'NULL' : literalOf(each)} AS VARCHAR)`).join(', ')})`
        const none = names.map(() => null)
        const list = [...rows.map(texts), ...rows.length === 0 ? [texts(none)] : []].join(', ')
        const sql = `SELECT * FROM (VALUES ${list}) AS t(${names.map(quotedName).join(', ')})${rows.length === 0 ? ' WHERE false' : ''}`
        return { sql, columns: await db.columnsOf(sql) }
      })
    } catch (error) {
      await space.close()
      throw error
    }
  }

  /** Reads the statement and finds its tables. The workspace is closed after an error. */
  async #begun<T>(work: (space: Workspace, engine: OpenDatabase, asked: Asked) => Promise<T>): Promise<T> {
    const { disk, openDatabase, scratchDir, random } = this.#tools
    const { signal } = this.#options
    throwIfAborted(signal)
    const engine = engineOf(openDatabase)
    const asked = await this.#asked(engine)
    const space = new Workspace(disk, `${scratchDir}/sql-${random.id()}`)
    try {
      return await work(space, engine, asked)
    } catch (error) {
      await space.close()
      if (signal?.aborted) throw abortError(signal)
      throw explained(error, space)
    }
  }

  /** Files of the cluster are so small that they are fetched. */
  #isSmall(tables: readonly SqlTable[]): boolean {
    const remote = tables.flatMap(({ files }) => files).filter(file => file.local === undefined)
    if (remote.length === 0) return true
    if (this.#options.distribute === 'always') return false
    return remote.reduce((sum, file) => sum + file.bytes, 0) <= (this.#options.localBytes ?? localBytesDefault)
  }

  /** Over files of this machine, and copies of those of the cluster. */
  async #here(space: Workspace, openDatabase: OpenDatabase, { statement, tables }: Asked): Promise<RunningQuery> {
    const { signal, memoryBytes = memoryDefault } = this.#options
    const isRemote = tables.some(({ files }) => files.some(file => file.local === undefined))
    const files = isRemote ? (await this.#tools.cluster()).files : undefined
    const placed: PlacedTable[] = []
    for (const table of tables) {
      const locals: string[] = []
      for (const file of table.files) locals.push(await space.place(file, files, signal))
      placed.push({ table, locals })
    }
    const running = new RunningQuery(await space.open(openDatabase, memoryBytes), space, signal)
    return running.begin(async db => {
      await db.confine([...pathsOf(placed), space.result])
      await defineTables(db, placed, this.#tools.disk)
      return { sql: statement.sql, columns: await db.columnsOf(statement.sql) }
    })
  }

  async #explained(space: Workspace, openDatabase: OpenDatabase, asked: Asked, isAnalyzed: boolean): Promise<SqlExplanation> {
    if (this.#isSmall(asked.tables)) {
      const { statement } = asked
      const sql = `EXPLAIN ${isAnalyzed ? 'ANALYZE ' : ''}${statement.sql}`
      await using running = await this.#here(space, openDatabase, { ...asked, statement: { ...statement, sql } })
      const texts: string[] = []
      for await (const rows of running.batches()) for (const row of rows) texts.push(String(row[1]).trimEnd())
      return { place: 'process', stages: [], text: `in this process: ${whyHere(asked.tables)}\n${texts.join('\n')}\n` }
    }
    if (!isAnalyzed) return explanationOf(await this.#planned(space, openDatabase, asked))
    let explanation: SqlExplanation | undefined
    await using running = await this.#job(space, openDatabase, asked, (planned, status) => { explanation = explanationOf(planned, status) })
    for await (const _ of running.batches()) continue
    return explanation!
  }

  /** The stages of a job that returns its rows. */
  async #planned(space: Workspace, openDatabase: OpenDatabase, { statement: { sql }, tables }: Asked): Promise<PlannedQuery> {
    const local = tables.find(table => table.files.some(file => file.local !== undefined))
    if (local) {
      const isAsked = this.#options.distribute === 'always'
      const why = isAsked ? 'tasks are to divide the query (distribute: always)' : 'the other tables are too large to be fetched'
      throw new GristmillError('EINVAL', `${local.name} is a file of this machine, and ${why}; put it into the cluster`)
    }
    return this.#plan(space, openDatabase, { sql, tables }, (query, own) =>
      ({ sql: sentQuery(query, own), output: { kind: 'rows', format: 'parquet' } }))
  }

  /** By tasks of the cluster. */
  async #job(
    space: Workspace, openDatabase: OpenDatabase, asked: Asked, onEnd?: (planned: PlannedQuery, status: JobStatus) => void,
  ): Promise<RunningQuery> {
    const { signal, memoryBytes, onJob, queue } = this.#options
    const { tables } = asked
    const { cluster, files } = await this.#tools.cluster()
    const planned = await this.#planned(space, openDatabase, asked)
    const { columns, work, stages } = planned
    const job = await submitQuery(cluster, { tables, work, stages, text: this.#text, memoryBytes, queue, signal })
    try {
      onJob?.(job)
      const parts = await waitForRows(cluster, job, signal)
      onEnd?.(planned, await job.status({ signal }))
      const locals: string[] = []
      for (const status of parts) locals.push(await space.place({ path: status.path, bytes: status.length, status }, files, signal))
      const running = new RunningQuery(await space.open(openDatabase, memoryDefault), space, signal)
      return await running.begin(async db => {
        await db.confine([...locals, space.result])
        const rows = `SELECT ${resultColumns(columns)} FROM read_parquet(${literalsOf(locals)}, hive_partitioning = false)`
        return { sql: locals.length === 0 ? noRows(columns) : rows, columns }
      })
    } finally {
      await forgetRows(cluster, job.id).catch(() => {})
    }
  }

  /** The stages of a job, and columns of the result. */
  async #plan(space: Workspace, openDatabase: OpenDatabase, { sql, tables }: Planning, last: LayoutParts['last']): Promise<PlannedQuery> {
    const { disk, division } = this.#tools
    const { signal, distribute = 'auto' } = this.#options
    const cluster = await this.#tools.cluster()
    return planJob({ sql, tables, distribute, disk, openDatabase, space, cluster, last, signal, ...division })
  }

  /** Reads the statement, and finds its tables and views. */
  async #asked(openDatabase: OpenDatabase): Promise<Asked> {
    const parser = await openDatabase({ memoryBytes: parserBytes, threads: 1 })
    try {
      await parser.confine([])
      const statement = await readStatement(parser, this.#text, this.#params)
      const resolved = await this.#resolved(parser, statement)
      return { statement: { ...statement, sql: resolved.sql }, tables: await this.#tables(resolved) }
    } finally {
      parser.close()
    }
  }

  /** Looks names that are no paths up in the catalogue, if there is a cluster. */
  async #resolved(parser: Database, { sql, tables }: Statement): Promise<ResolvedQuery> {
    const isCalled = tables.some(name => !isPathName(name))
    const ask = isCalled ? await this.#tools.cluster().then(({ cluster }) => cluster.ask, () => undefined) : undefined
    if (!ask) return { sql, names: tables, tables: [] }
    return resolveNames({ sql, tables }, {
      ask, signal: this.#options.signal, isPath: isPathName, read: text => readStatement(parser, text, undefined),
    })
  }

  async #tables({ names, tables: known }: Pick<ResolvedQuery, 'names' | 'tables'>): Promise<SqlTable[]> {
    const { disk, cluster } = this.#tools
    const { signal } = this.#options
    const tables = []
    for (const name of new Set(names)) {
      const found = known.find(each => each.name === name)
      if (found) tables.push(await catalogTable((await cluster()).cluster.ask, found, signal))
      if (found || !isPathName(name)) continue
      checkName(name)
      const local = localName(name, this.#tools)
      tables.push(local === undefined
        ? await clusterTable((await cluster()).cluster.ask, name, signal)
        : await localTable(disk, name, local, this.#tools))
    }
    return tables
  }
}

/** A query that has begun. */
class RunningQuery implements AsyncDisposable {
  readonly db: Database
  readonly space: Workspace
  readonly #signal: AbortSignal | undefined
  readonly #interrupt: () => void
  /** Its rows are the lines of an explanation. */
  readonly isExplanation: boolean
  #columns: readonly SqlColumn[] = []
  #sql = ''

  constructor(db: Database, space: Workspace, signal: AbortSignal | undefined, { isExplanation = false } = {}) {
    this.isExplanation = isExplanation
    this.db = db
    this.space = space
    this.#signal = signal
    this.#interrupt = () => db.interrupt()
    signal?.addEventListener('abort', this.#interrupt, { once: true })
  }

  get columns(): readonly SqlColumn[] { return this.#columns }

  /** Prepares the database; after a failure it is closed. */
  async begin(prepare: (db: Database) => Promise<{ readonly sql: string; readonly columns: readonly SqlColumn[] }>): Promise<this> {
    try {
      throwIfAborted(this.#signal)
      const { sql, columns } = await prepare(this.db)
      this.#sql = sql
      this.#columns = columns
      return this
    } catch (error) {
      this.#close()
      throw error
    }
  }

  /** The rows as a Parquet file, in pieces. Called once, in place of `batches`. */
  async *parquet(): AsyncGenerator<Buffer, void, void> {
    try {
      yield* this.space.parquet(this.db, parquetQuery(this.#sql, this.#columns, uniqueNames(this.#columns)))
    } catch (error) {
      throw this.explained(error)
    }
  }

  /** Rows in their order, some thousand at a time. Called once. */
  async *batches(): AsyncGenerator<ReadonlyArray<readonly SqlValue[]>, void, void> {
    try {
      throwIfAborted(this.#signal)
      for await (const rows of (await this.db.query(this.#sql)).batches()) {
        throwIfAborted(this.#signal)
        yield rows
      }
    } catch (error) {
      throw this.explained(error)
    }
  }

  /** The error with the names of files as the user knows them. */
  explained(error: unknown): unknown {
    return this.#signal?.aborted ? abortError(this.#signal) : explained(error, this.space)
  }

  #close(): void {
    this.#signal?.removeEventListener('abort', this.#interrupt)
    this.db.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close()
    await this.space.close()
  }
}

const bytesOf = ({ files }: SqlTable): number => files.reduce((sum, file) => sum + file.bytes, 0)

const whyHere = (tables: readonly SqlTable[]): string => {
  const bytes = tables.flatMap(({ files }) => files).reduce((sum, file) => sum + file.bytes, 0)
  return tables.length === 0 ? 'it reads no table' : `its tables have ${formatBytes(bytes)}, or are files of this machine`
}

function engineOf(openDatabase: OpenDatabase | undefined): OpenDatabase {
  if (!openDatabase) throw new GristmillError('CONFIG_INVALID', 'there is no SQL engine in a simulated cluster; use real processes')
  return openDatabase
}

function explained(error: unknown, space: Workspace): unknown {
  if (!(error instanceof GristmillError)) return error
  const message = space.named(error.message)
  return new GristmillError(error.code, message.replace(missingTable, tableAdvice), { cause: error.cause, details: error.details })
}

const missingTable = /^Catalog Error: Table with name (\S+) does not exist![^]*?(?=\n\nLINE|$)/
const tableAdvice =
  'there is no table $1; name files in quotes: FROM \'/path/of/file.csv\' in the cluster, FROM \'./file.csv\' on this machine'

/** Names of columns, each once. */
export function uniqueNames(columns: readonly SqlColumn[]): string[] {
  const taken = new Set(columns.map(({ name }) => name))
  const used = new Set<string>()
  return columns.map(({ name }) => {
    let unique = name
    for (let i = 1; used.has(unique); i++) if (!taken.has(`${name}_${i}`)) unique = `${name}_${i}`
    used.add(unique)
    return unique
  })
}
