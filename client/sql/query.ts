// `mill.sql`: one query. It runs when its rows are first asked for, in this process or as a job of the cluster.

import { abortError, throwIfAborted } from '../../src/base/abort.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { SqlColumn, SqlValue } from '../../src/base/sql.ts'
import { MiB } from '../../src/base/units.ts'
import type { Database, OpenDatabase } from '../../src/ports/database.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Random } from '../../src/ports/random.ts'
import type { SqlCluster } from './cluster.ts'
import { defineTables, pathsOf, Workspace } from './here.ts'
import { parquetQuery } from './carried.ts'
import { readStatement, type SqlParams, type Statement } from './statement.ts'
import { checkName, clusterTable, isPathName, localName, localTable, type SqlTable } from './tables.ts'

export interface SqlOptions {
  /** Memory of the query in this process, or of each task; default: 1 GiB, and that of jobs. */
  readonly memoryBytes?: number | undefined
  readonly signal?: AbortSignal | undefined
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
}

/** A row under the names of its columns; a second column of a name gets a number: `n`, `n_1`. */
export type SqlRow = Readonly<Record<string, SqlValue>>

const memoryDefault = 1024 * MiB
const parserBytes = 64 * MiB
/** Tables of this size altogether are fetched: a job takes longer to start than they take to read. */
const fetchedBytesMax = 16 * MiB

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

  /** Starts the query: its columns, and its rows as arrays. REQUIRES: the caller disposes of it. */
  async run(): Promise<RunningQuery> {
    const { disk, openDatabase, scratchDir, random } = this.#tools
    const { signal } = this.#options
    throwIfAborted(signal)
    if (!openDatabase) throw new GristmillError('CONFIG_INVALID', 'there is no SQL engine in a simulated cluster; use real processes')
    const statement = await this.#read(openDatabase)
    const space = new Workspace(disk, `${scratchDir}/sql-${random.id()}`)
    const db = await space.open(openDatabase, this.#options.memoryBytes ?? memoryDefault)
    const running = new RunningQuery(db, space, signal)
    try {
      const tables = await this.#tables(statement.tables)
      await this.#define(running, tables)
      await running.begin(statement.sql)
      return running
    } catch (error) {
      await running[Symbol.asyncDispose]()
      throw running.explained(error)
    }
  }

  async #read(openDatabase: OpenDatabase): Promise<Statement> {
    const parser = await openDatabase({ memoryBytes: parserBytes, threads: 1 })
    try {
      await parser.confine([])
      return await readStatement(parser, this.#text, this.#params)
    } finally {
      parser.close()
    }
  }

  async #define({ db, space }: RunningQuery, tables: readonly SqlTable[]): Promise<void> {
    const { signal } = this.#options
    const remote = tables.flatMap(({ files }) => files).filter(file => file.local === undefined)
    const files = remote.length === 0 ? undefined : (await this.#tools.cluster()).files
    const bytes = remote.reduce((sum, file) => sum + file.bytes, 0)
    if (bytes > fetchedBytesMax) throw new GristmillError('TOO_LARGE', 'the tables are too large')
    const placed = []
    for (const table of tables) {
      const locals: string[] = []
      for (const file of table.files) locals.push(await space.place(file, files, signal))
      placed.push({ table, locals })
    }
    await db.confine([...pathsOf(placed), space.result])
    await defineTables(db, placed)
  }

  async #tables(names: readonly string[]): Promise<SqlTable[]> {
    const { disk, cluster } = this.#tools
    const { signal } = this.#options
    const tables = []
    for (const name of new Set(names)) {
      if (!isPathName(name)) continue
      checkName(name)
      const local = localName(name, this.#tools)
      tables.push(local === undefined
        ? await clusterTable((await cluster()).cluster.ask, name, signal)
        : await localTable(disk, name, local))
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
  #columns: readonly SqlColumn[] = []
  #sql = ''

  constructor(db: Database, space: Workspace, signal: AbortSignal | undefined) {
    this.db = db
    this.space = space
    this.#signal = signal
    this.#interrupt = () => db.interrupt()
    signal?.addEventListener('abort', this.#interrupt, { once: true })
  }

  get columns(): readonly SqlColumn[] { return this.#columns }

  async begin(sql: string): Promise<void> {
    throwIfAborted(this.#signal)
    this.#sql = sql
    this.#columns = await this.db.columnsOf(sql)
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
    if (this.#signal?.aborted) return abortError(this.#signal)
    if (!(error instanceof GristmillError)) return error
    const message = this.space.named(error.message)
    return new GristmillError(error.code, message.replace(missingTable, tableAdvice), { cause: error.cause, details: error.details })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#interrupt)
    this.db.close()
    await this.space.close()
  }
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
