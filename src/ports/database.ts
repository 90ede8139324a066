// Port: an SQL engine inside of this process, over files of this machine. A database is empty and in memory, belongs to one query, and
// reaches nothing but the files that its owner names: no other file, no network, no extension, no setting.

import type { SqlColumn, SqlValue } from '../base/sql.ts'

export interface DatabaseOptions {
  /** Memory of all operators. Sorts, joins and groups that need more write to `spill`; without it they fail with TOO_LARGE. */
  readonly memoryBytes: number
  /** Default: one for each core. */
  readonly threads?: number | undefined
  /** A directory of its owner, which exists, and the bytes that may be written there. */
  readonly spill?: { readonly directory: string; readonly bytesMax: number } | undefined
}

/** Begins the names under which the engine has functions of programs; queries call them by macros. */
export const programFunction = 'program '

/** A function that queries call by its name. */
export interface DatabaseFunction {
  readonly name: string
  /** Types of arguments, and of the result, as SQL. */
  readonly args: readonly string[]
  readonly returns: string
  /** The result for one row, of its type: integers of more than 32 bits are bigints. Throws an Error for the user. */
  readonly call: (values: readonly SqlValue[]) => boolean | number | bigint | string | Uint8Array | null
}

/**
 * REQUIRES: one call at a time, apart from `interrupt`. Errors are GristmillErrors: EINVAL with the engine's message, TOO_LARGE, ABORTED.
 */
export interface Database {
  /**
   * Names the files that statements can reach from now on, and a directory that may be made later. No setting can be changed afterwards,
   * unless `isLocked` is false; REQUIRES: then no statement of a user is run. REQUIRES: called once, before a query.
   */
  confine(files: readonly string[], options?: { readonly isLocked?: boolean; readonly directory?: string }): Promise<void>
  /** Queries can call these functions. Throws EINVAL. REQUIRES: the database has one thread. */
  define(functions: readonly DatabaseFunction[]): Promise<void>
  /** Runs statements of this program, whose rows are dropped. */
  run(sql: string): Promise<void>
  /** Columns of a statement, which is not run. */
  columnsOf(sql: string): Promise<readonly SqlColumn[]>
  /**
   * Runs one statement. `inUnits`: DATE is its days since 1970; TIME, TIMESTAMP and DECIMAL are bigints in the unit of their type; INTERVAL
   * has the fields `months`, `days` and `micros`.
   */
  query(sql: string, options?: { readonly inUnits?: boolean }): Promise<DatabaseRows>
  /**
   * Names of the tables that a statement without parameters reads, but for those that it defines. Throws
   * EINVAL with the place of a syntax error.
   */
  tablesOf(sql: string): Promise<readonly string[]>
  /** Ends the statement that runs, or begins later, with ABORTED. REQUIRES: the database is closed then. */
  interrupt(): void
  close(): void
}

export interface DatabaseRows {
  readonly columns: readonly SqlColumn[]
  /** Rows in the order of the statement, some thousand at a time. */
  batches(): AsyncGenerator<readonly (readonly SqlValue[])[], void, void>
}

export type OpenDatabase = (options: DatabaseOptions) => Promise<Database>
