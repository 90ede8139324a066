// `mill.sql`: one query. It runs when its rows are first asked for: in this process over files of this machine, over small ones of
// the cluster, which are fetched, and over Parquet of which it reads little, or which lies on this machine; else as a job of the cluster.

import { abortError, throwIfAborted } from '../../src/base/abort.ts'
import { shownUrl } from '../../src/base/url.ts'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { normalise } from '../../src/base/paths.ts'
import { isKafka } from '../../src/connector/kafka/address.ts'
import { isPostgres } from '../../src/connector/postgres/names.ts'
import { literalsOf, type SqlColumn, type SqlValue } from '../../src/base/sql.ts'
import { formatBytes, MiB } from '../../src/base/units.ts'
import type { Database, OpenDatabase } from '../../src/ports/database.ts'
import type { JobStatus } from '../../src/protocol/job.ts'
import { stat } from '../../src/protocol/namespace.ts'
import { show } from '../../src/protocol/version.ts'
import type { Job } from '../jobs/job.ts'
import { Run } from '../jobs/running.ts'
import { askedOf, engineOf, localAmong, workspaceIn, type Asked, type SqlTools } from './asked.ts'
import { documentQuery, parquetQuery, textQuery } from './carried.ts'
import { noRows, resultColumns, sentQuery } from './carriedtypes.ts'
import { changed } from './changed.ts'
import { readCommand, type SqlCommand } from './command.ts'
import type { Distribute } from './division.ts'
import { SqlFunctions } from './functions.ts'
import { explanationOf, type SqlExplanation } from './explained.ts'
import { defineTables, pathsOf, placeTables } from './here.ts'
import { asQueryError, forgetRows, keptParams, submitQuery, waitForRows, type KeptRows } from './job.ts'
import { listTables } from './listed.ts'
import { defineNear, fetchedBytesMax, nearPaths, placeNear } from './nearby.ts'
import { planJob, planJobIn, type PlannedQuery } from './planning.ts'
import { explainedIn, namingIn, RunningQuery, uniqueNames, type Begun } from './running.ts'
import type { OutsideWritten, SqlExportOptions } from './cluster.ts'
import { isOutside, notReached, placesIn } from './outside.ts'
import type { LayoutParts } from './stages.ts'
import type { SqlParams } from './statement.ts'
import type { SqlTable } from './tables.ts'
import type { ColumnsOf } from './viewcolumns.ts'
import { withQuotingAdvice } from './unquoted.ts'
import type { Workspace } from './workspace.ts'

export interface SqlOptions {
  /** Memory of the query in this process, or of each task; default: 1 GiB, and that of jobs. */
  readonly memoryBytes?: number | undefined
  /**
   * Tables of the cluster that have this size altogether are fetched, and the query runs in this process. So does one that reads as much of
   * larger tables of Parquet. Default: 16 MiB, and 256 MiB of Parquet whose blocks are all on this machine; 0: such a query is a job.
   */
  readonly localBytes?: number | undefined
  /**
   * Whether tasks divide a query over files of the cluster. Default: auto, where the bytes that it reads say that it pays. `always` also
   * divides small ones, which are not fetched.
   */
  readonly distribute?: Distribute | undefined
  /** False: the query reads no files of this machine, but those of the cluster. Default: true. */
  readonly localFiles?: boolean | undefined
  /** Queue by which the tasks of its job get slots; default: `default`. */
  readonly queue?: string | undefined
  /** Jobs of the queue with a lower one get slots after it; -100 to 100, default: 0. */
  readonly priority?: number | undefined
  /** Called with the job of the query, if it has one. */
  readonly onJob?: ((job: Job) => void) | undefined
  /**
   * Local module whose exports, made by `scalar`, are functions of the query. It is loaded into this process, and into tasks that run the
   * query.
   */
  readonly functions?: string | URL | undefined
  readonly signal?: AbortSignal | undefined
}

export interface SqlSaveOptions {
  /** Default: parquet. */
  readonly format?: 'parquet' | 'csv' | undefined
  /** Replaces the output of an earlier job, which is kept as a version. */
  readonly overwrite?: boolean | undefined
  /** With `overwrite`: replaces any directory. */
  readonly force?: boolean | undefined
  /** ESTALE unless this is the number of the newest version when the rows are published; 0: there is none. */
  readonly ifVersion?: number | undefined
}

/** A row under the names of its columns; a second column of a name gets a number: `n`, `n_1`. */
export type SqlRow = Readonly<Record<string, SqlValue>>

const memoryDefault = 1024 * MiB

type RowsKind = KeptRows['rows']

type Planning = { readonly sql: string; readonly tables: readonly SqlTable[] }

export class SqlQuery implements AsyncIterable<SqlRow> {
  readonly #tools: SqlTools
  readonly #text: string
  readonly #params: SqlParams | undefined
  readonly #options: SqlOptions

  constructor(tools: SqlTools, text: string, params: SqlParams | undefined, options: SqlOptions) {
    const own = options.localFiles === false ? { ...tools, isRemote: true } : tools
    this.#tools = options.functions === undefined ? own : { ...own, functions: new SqlFunctions(own, options.functions) }
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
   * The rows as an Arrow IPC stream, in pieces: `tableFromIPC(query.arrow())` of the package apache-arrow reads it. Throws EINVAL with the
   * column of a value that Arrow has no place for. Leaving the loop ends the query.
   */
  async *arrow(): AsyncGenerator<Uint8Array, void, undefined> {
    await using running = await this.run()
    yield* running.arrow()
  }

  /**
   * Computes the rows as a job, whose output is published at `path`, with its history. Resolves when it is submitted. Throws EEXIST for an
   * output that exists (unless `overwrite`), EINVAL for tables of this machine. With tables outside of the cluster it resolves when the
   * job has ended.
   */
  async save(path: string, options: SqlSaveOptions = {}): Promise<Run> {
    if (isOutside(path)) throw new GristmillError('EINVAL', `${shownUrl(path)} is no path of the cluster; use export, or COPY (…) TO`)
    return this.#saved(path, options)
  }

  /** `asFiles`: the query with columns that the files hold; `rows`: for a place outside. */
  async #saved(
    path: string, { format = 'parquet', overwrite, force, ifVersion }: SqlSaveOptions,
    { asFiles = parquetQuery, rows }: { readonly asFiles?: typeof parquetQuery | undefined; readonly rows?: RowsKind } = {},
  ): Promise<Run> {
    const { signal, memoryBytes, queue, priority } = this.#options
    throwIfAborted(signal)
    const engine = engineOf(this.#tools)
    await using space = workspaceIn(this.#tools)
    const { statement: { sql, explain }, tables } = await this.#asked(space)
    if (explain) throw new GristmillError('EINVAL', 'EXPLAIN has no rows that could be saved; leave out the output, or EXPLAIN')
    const local = localAmong(tables)
    if (local)
      throw new GristmillError('EINVAL', `${local.name} is a file of this machine, which no task can read; put it into the cluster`)
    const { cluster } = await this.#tools.cluster()
    try {
      const laid = await this.#plan(space, engine, { sql, tables }, (query, columns) =>
        ({ sql: asFiles(query, columns, uniqueNames(columns)), output: { kind: 'rows', format } }))
      const functions = await this.#tools.functions?.stored()
      const kept = rows && { text: this.#text, rows, functions: functions?.id }
      const job = await submitQuery(cluster, {
        tables, ...laid, functions, text: this.#text, memoryBytes, queue, priority, signal,
        output: { path: normalise(path), format, overwrite, force, ifVersion, kept },
      })
      const run = new Run(cluster, job.id)
      // Its tasks read copies that are removed with the workspace. The caller sees a failure in its own wait.
      if (tables.some(({ name }) => isOutside(name))) await run.wait({ signal }).catch(() => undefined)
      return run
    } catch (error) {
      throw await explainedIn(error, space)
    }
  }

  /**
   * Computes the rows as a job, and moves them to a table of PostgreSQL (`postgres://HOST/DATABASE/TABLE`) or below a prefix of S3
   * (`s3://BUCKET/PREFIX/`), where they appear in one commit when all are there, or to a topic of Kafka (`kafka://HOST:PORT/TOPIC`). Throws
   * as `mill.export`, and EEXIST if something else than the rows of this query is at the path `via`.
   */
  async export(url: string, { format, via, ...options }: SqlExportOptions = {}): Promise<OutsideWritten> {
    const { signal, onJob } = this.#options
    if (this.#tools.isRemote) throw notReached(url)
    if (via !== undefined && this.#params !== undefined)
      throw new GristmillError('EINVAL', 'rows that are kept at a path are known by the text of their query; write the parameters into it')
    const kept = via === undefined ? undefined : normalise(via)
    const asFiles = isPostgres(url) ? textQuery : isKafka(url) ? documentQuery : undefined
    if (asFiles && format !== undefined)
      throw new GristmillError('EINVAL', 'format belongs to objects of S3; a table of PostgreSQL and a topic of Kafka take rows')
    const rows = isPostgres(url) ? 'text' : isKafka(url) ? 'document' : format ?? 'parquet'
    const places = placesIn(await this.#tools.cluster(), url)
    return places.write(url, async path => {
      if (kept !== undefined && await this.#isAt(kept, rows)) return
      const run = await this.#saved(path, { format: asFiles ? 'csv' : format }, { asFiles, rows })
      onJob?.(run)
      await run.wait({ signal }).catch((error: unknown) => { throw asQueryError(error) })
    }, { ...options, ...kept !== undefined && { via: kept }, signal })
  }

  /** The rows of this kind that this query once gave are published at the path. Throws EEXIST for anything else. */
  async #isAt(path: string, rows: RowsKind): Promise<boolean> {
    const { cluster } = await this.#tools.cluster()
    const { signal } = this.#options
    try {
      await cluster.ask(stat, { path }, signal)
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false
      throw error
    }
    const found = await cluster.ask(show, { path }, signal).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT', 'EINVAL', 'ENOTDIR')) return undefined
      throw error
    })
    const wanted = keptParams({ text: this.#text, rows, functions: (await this.#tools.functions?.stored())?.id })
    const made = { ...found?.made.params }
    const names = ['sql', 'rows', 'functions']
    if (found && found.intact !== false && names.every(name => made[name] === wanted[name])) return true
    // Without the path in its details: the command line would say "file exists".
    throw new GristmillError(
      'EEXIST', `${path} is there, and not as this statement has published it for such a place; name another path, or remove it`,
    )
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
      if (!explain) {
        if (this.#isSmall(asked.tables)) return this.#here(space, engine, asked)
        return this.#larger(space, engine, asked, {
          near: () => asked.statement.sql, job: planned => this.#rowsOfJob(space, asked.tables, planned),
        })
      }
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
    const { signal, ...options } = this.#options
    throwIfAborted(signal)
    const query = (text: string, params: SqlParams | undefined): SqlQuery =>
      new SqlQuery(this.#tools, text, params, { ...options, signal })
    return changed(command, {
      tools: this.#tools, params: this.#params, signal, query, onJob: options.onJob,
      columns: (text, params) => query(text, params).#columnsOfView(command.kind === 'create view' ? command.name : ''),
    })
  }

  /** Columns of the query of a view, as a job would give them. Throws EINVAL for a query that other users cannot run. */
  async #columnsOfView(name: string): Promise<readonly SqlColumn[]> {
    const asked = await this.#asked()
    if (asked.views.some(each => each.toLowerCase() === name.toLowerCase()))
      throw new GristmillError('EINVAL', `the query of the view ${name} reads the view itself`)
    if (asked.statement.explain) throw new GristmillError('EINVAL', 'a view is a query that gives rows, not EXPLAIN')
    const local = localAmong(asked.tables)
    if (local) throw new GristmillError('EINVAL', `${local.name} is a file of this machine, which other users of the view do not have`)
    await using space = workspaceIn(this.#tools)
    return (await namingIn(space, () => this.#planned(space, engineOf(this.#tools), asked))).columns
  }

  /** Reads the statement and finds its tables. The workspace is closed after an error. */
  async #begun<T>(work: (space: Workspace, engine: OpenDatabase, asked: Asked) => Promise<T>): Promise<T> {
    const { signal } = this.#options
    throwIfAborted(signal)
    const engine = engineOf(this.#tools)
    const space = workspaceIn(this.#tools)
    try {
      return await work(space, engine, await this.#asked(space))
    } catch (error) {
      // It reads files of the workspace.
      const explained = withQuotingAdvice(await explainedIn(error, space), this.#text)
      await space.close()
      throw signal?.aborted ? abortError(signal) : explained
    }
  }

  /** Files of the cluster are so small that they are fetched. */
  #isSmall(tables: readonly SqlTable[]): boolean {
    const remote = tables.flatMap(({ files }) => files).filter(file => file.local === undefined)
    if (remote.length === 0) return true
    if (this.#options.distribute === 'always') return false
    return remote.reduce((sum, file) => sum + file.bytes, 0) <= (this.#options.localBytes ?? fetchedBytesMax)
  }

  /** Over files of this machine, and copies of those of the cluster. */
  async #here(space: Workspace, openDatabase: OpenDatabase, { statement, tables }: Asked): Promise<RunningQuery> {
    const { signal, memoryBytes = memoryDefault } = this.#options
    const isRemote = tables.some(({ files }) => files.some(file => file.local === undefined))
    const files = isRemote ? (await this.#tools.cluster()).files : undefined
    const placed = await placeTables(tables, { disk: this.#tools.disk, space, files, signal })
    const running = new RunningQuery(await space.open(openDatabase, memoryBytes), space, signal)
    return running.begin(async db => {
      await db.confine([...pathsOf(placed), space.result])
      await defineTables(db, placed, { disk: this.#tools.disk, space, signal })
      await listTables(db, { tools: this.#tools, columns: columnsIn(this.#tools, signal), signal }, statement)
      return { sql: statement.sql, columns: await db.columnsOf(statement.sql) }
    })
  }

  async #explained(space: Workspace, openDatabase: OpenDatabase, asked: Asked, isAnalyzed: boolean): Promise<SqlExplanation> {
    const { tables, statement } = asked
    const explained = { ...asked, statement: { ...statement, sql: `EXPLAIN ${isAnalyzed ? 'ANALYZE ' : ''}${statement.sql}` } }
    const planOf = async (running: RunningQuery, why: string): Promise<SqlExplanation> => {
      const texts: string[] = []
      for await (const rows of running.batches()) for (const row of rows) texts.push(space.explainedPlan(String(row[1])).trimEnd())
      return { place: 'process', stages: [], text: `in this process: ${why}\n${texts.join('\n')}\n` }
    }
    if (this.#isSmall(tables)) {
      await using running = await this.#here(space, openDatabase, explained)
      return await planOf(running, whyHere(tables))
    }
    let explanation: SqlExplanation | undefined
    let bytes = 0
    await using running = await this.#larger(space, openDatabase, asked, {
      near: ({ whole }) => {
        bytes = whole!.bytes
        return explained.statement.sql
      },
      job: async planned => {
        explanation = explanationOf(planned)
        if (!isAnalyzed) return { sql: '', columns: [] }
        return this.#rowsOfJob(space, tables, planned, status => { explanation = explanationOf(planned, status) })
      },
    })
    if (!explanation) return await planOf(running, `it reads ${formatBytes(bytes)} of its tables`)
    if (isAnalyzed) for await (const _ of running.batches()) continue
    return explanation
  }

  /** The stages of a job that returns its rows. `db`: as for #plan. */
  async #planned(
    space: Workspace, openDatabase: OpenDatabase, { statement: { sql }, tables }: Asked, db?: Database,
  ): Promise<PlannedQuery> {
    const local = localAmong(tables)
    if (local) {
      const isAsked = this.#options.distribute === 'always'
      const why = isAsked ? 'tasks are to divide the query (distribute: always)' : 'the other tables are too large to be fetched'
      throw new GristmillError('EINVAL', `${local.name} is a file of this machine, and ${why}; put it into the cluster`)
    }
    return this.#plan(space, openDatabase, { sql, tables }, (query, own) =>
      ({ sql: sentQuery(query, own), output: { kind: 'rows', format: 'parquet', isResult: true } }), db)
  }

  /** Over larger tables of the cluster: in this process if it reads little of them (nearby.ts), else by tasks of the cluster. */
  async #larger(
    space: Workspace, openDatabase: OpenDatabase, asked: Asked,
    { near, job }: {
      /** SQL that runs in this process. */
      readonly near: (planned: PlannedQuery) => string
      readonly job: (planned: PlannedQuery) => Promise<Begun>
    },
  ): Promise<RunningQuery> {
    // It plans the query, waits, and reads the rows: starting another one takes longer than to wait takes memory.
    const db = await space.open(openDatabase, memoryDefault, 1)
    const running = new RunningQuery(db, space, this.#options.signal)
    return running.begin(async () => {
      const planned = await this.#planned(space, openDatabase, asked, db)
      const own = await this.#near(space, openDatabase, planned, db)
      return own ? { sql: near(planned), columns: planned.columns, db: own } : job(planned)
    })
  }

  /** An engine with the tables of the query; undefined: it is a job. */
  async #near(space: Workspace, openDatabase: OpenDatabase, { whole }: PlannedQuery, planner: Database): Promise<Database | undefined> {
    const { signal, localBytes, queue, priority, memoryBytes = memoryDefault } = this.#options
    // Slots are what the caller wants to wait for.
    if (!whole || queue !== undefined || priority !== undefined) return undefined
    const { cluster: { clock }, files } = await this.#tools.cluster()
    const { disk, isRemote = false } = this.#tools
    const tables = await placeNear(planner, whole, { files, disk, clock, space, localBytes, isShared: isRemote, signal })
    if (!tables) return undefined
    const db = await space.open(openDatabase, memoryBytes)
    try {
      await db.confine([...nearPaths(tables), space.result])
      await defineNear(db, tables)
      return db
    } catch (error) {
      db.close()
      throw error
    }
  }

  /** By tasks of the cluster: the rows that its job has written. */
  async #rowsOfJob(
    space: Workspace, tables: readonly SqlTable[], { columns, work, stages }: PlannedQuery, onEnd?: (status: JobStatus) => void,
  ): Promise<Begun> {
    const { signal, memoryBytes, onJob, queue, priority } = this.#options
    const { cluster, files } = await this.#tools.cluster()
    const functions = await this.#tools.functions?.stored()
    const job = await submitQuery(cluster, { tables, work, stages, functions, text: this.#text, memoryBytes, queue, priority, signal })
    try {
      onJob?.(job)
      const parts = await waitForRows(cluster, job, signal)
      onEnd?.(await job.status({ signal }))
      const locals: string[] = []
      for (const status of parts) locals.push(await space.placeRows({ path: status.path, bytes: status.length, status }, files, signal))
      const rows = `SELECT ${resultColumns(columns)} FROM read_parquet(${literalsOf(locals)}, hive_partitioning = false)`
      return { sql: locals.length === 0 ? noRows(columns) : rows, columns }
    } finally {
      await forgetRows(cluster, job.id).catch(() => {})
    }
  }

  /** The stages of a job, and columns of the result. `db`: a new engine, which may be used for its rows afterwards. */
  async #plan(
    space: Workspace, openDatabase: OpenDatabase, { sql, tables }: Planning, last: LayoutParts['last'], db?: Database,
  ): Promise<PlannedQuery> {
    const { disk, division } = this.#tools
    const { signal, distribute = 'auto' } = this.#options
    const cluster = await this.#tools.cluster()
    const parts = { sql, tables, distribute, disk, space, cluster, last, signal, ...division }
    try {
      return await (db ? planJobIn(db, parts) : planJob({ ...parts, openDatabase }))
    } catch (error) {
      throw withQuotingAdvice(error, this.#text)
    }
  }

  async #asked(space?: Workspace): Promise<Asked> {
    try {
      return await askedOf(this.#tools, { text: this.#text, params: this.#params, signal: this.#options.signal, space })
    } catch (error) {
      throw withQuotingAdvice(error, this.#text)
    }
  }
}

/** Columns of the queries of views, as their creation has found them. */
export const columnsIn = (tools: SqlTools, signal: AbortSignal | undefined): ColumnsOf =>
  async sql => new SqlQuery(tools, sql, undefined, { distribute: 'always', signal }).columns()

const whyHere = (tables: readonly SqlTable[]): string => {
  const bytes = tables.flatMap(({ files }) => files).reduce((sum, file) => sum + file.bytes, 0)
  if (tables.length === 0) return 'it reads no table'
  return `its tables have ${formatBytes(bytes)}${localAmong(tables) ? ', or are files of this machine' : ''}`
}
