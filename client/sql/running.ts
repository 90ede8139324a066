// A query that has begun: its columns, and its rows as arrays, as a Parquet file or as Arrow. It owns its database and its workspace.

import { abortError, throwIfAborted } from '../../src/base/abort.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { SqlColumn, SqlValue } from '../../src/base/sql.ts'
import type { Database } from '../../src/ports/database.ts'
import { parquetQuery } from './carried.ts'
import type { Workspace } from './workspace.ts'

/** SQL that gives the rows. `db`: the database that runs it. Default: the one that was prepared, which is closed otherwise. */
export interface Begun { readonly sql: string; readonly columns: readonly SqlColumn[]; readonly db?: Database }

/** A query that has begun. */
export class RunningQuery implements AsyncDisposable {
  #db: Database
  readonly #space: Workspace
  readonly #signal: AbortSignal | undefined
  readonly #interrupt: () => void
  /** Its rows are the lines of an explanation. */
  readonly isExplanation: boolean
  #columns: readonly SqlColumn[] = []
  #sql = ''

  constructor(db: Database, space: Workspace, signal: AbortSignal | undefined, { isExplanation = false } = {}) {
    this.isExplanation = isExplanation
    this.#db = db
    this.#space = space
    this.#signal = signal
    this.#interrupt = () => this.#db.interrupt()
    signal?.addEventListener('abort', this.#interrupt, { once: true })
  }

  get columns(): readonly SqlColumn[] { return this.#columns }

  /** Prepares the database; after a failure it is closed. */
  async begin(prepare: (db: Database) => Promise<Begun>): Promise<this> {
    try {
      throwIfAborted(this.#signal)
      const { sql, columns, db = this.#db } = await prepare(this.#db)
      if (db !== this.#db) this.#db.close()
      this.#db = db
      throwIfAborted(this.#signal)
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
      yield* this.#space.parquet(this.#db, parquetQuery(this.#sql, this.#columns, uniqueNames(this.#columns)))
    } catch (error) {
      throw await this.explained(error)
    }
  }

  /** The rows as an Arrow IPC stream, in pieces, while they are computed. Called once, in place of `batches`. */
  async *arrow(): AsyncGenerator<Uint8Array, void, void> {
    try {
      throwIfAborted(this.#signal)
      const { arrowRows } = await import('./arrow.ts')
      const rows = await arrowRows(this.#sql, this.#columns, uniqueNames(this.#columns))
      const batches = (await this.#db.query(rows.sql, { inUnits: true })).batches()
      for await (const piece of rows.stream(batches)) {
        throwIfAborted(this.#signal)
        yield piece
      }
    } catch (error) {
      throw await this.explained(error)
    }
  }

  /** Rows in their order, some thousand at a time. Called once. */
  async *batches(): AsyncGenerator<ReadonlyArray<readonly SqlValue[]>, void, void> {
    try {
      throwIfAborted(this.#signal)
      for await (const rows of (await this.#db.query(this.#sql)).batches()) {
        throwIfAborted(this.#signal)
        yield rows
      }
    } catch (error) {
      throw await this.explained(error)
    }
  }

  /** The error with the names of files as the user knows them. */
  async explained(error: unknown): Promise<unknown> {
    return this.#signal?.aborted ? abortError(this.#signal) : explainedIn(error, this.#space)
  }

  #close(): void {
    this.#signal?.removeEventListener('abort', this.#interrupt)
    this.#db.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close()
    await this.#space.close()
  }
}

/** Does work whose errors have the names of files as the user knows them. */
export const namingIn = <T>(space: Workspace, work: () => Promise<T>): Promise<T> =>
  work().catch(async (error: unknown) => { throw await explainedIn(error, space) })

/** The error with the names of files as the user knows them. */
export async function explainedIn(error: unknown, space: Workspace): Promise<unknown> {
  if (!(error instanceof GristmillError)) return error
  const message = await space.explained(error.message)
  const advised = message.replace(missingTable, space.isRemote ? remoteAdvice : tableAdvice).replace(otherEncoding, encodingAdvice)
  return new GristmillError(error.code, advised, { cause: error.cause, details: error.details })
}

const missingTable = /^Catalog Error: Table with name (\S+) does not exist![^]*?(?=\n\nLINE|$)/
const remoteAdvice = 'there is no table $1; name files of the cluster in quotes: FROM \'/path/of/file.csv\''
const tableAdvice =
  'there is no table $1; name files in quotes: FROM \'/path/of/file.csv\' in the cluster, FROM \'./file.csv\' on this machine'

/** The engine advises options of `read_csv` that are refused here, and names as settings of the user those that are found for it. */
const otherEncoding =
  /(?:Invalid Input Error: )?CSV Error on Line: (\d+)\n[^]*?This file is not utf-8 encoded\.[^]*?\n {2}file = ([^\n]*)(?:\n {2}\w+ ?=[^\n]*)*/
const encodingAdvice =
  '$2 is not UTF-8 (line $1); convert the file, for instance from ISO 8859-1: iconv -f latin1 -t utf-8 old.csv > new.csv'

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
