// A job of SQL as its tasks get it: the parameter `query` of the job. Its program has a name and no code.

import type { ProgramId } from '../base/ids.ts'
import type { TableShape } from './sqltable.ts'

export interface SqlWork {
  readonly tables: readonly TableShape[]
  readonly stages: readonly SqlStage[]
  /** Module of the functions that the query calls: the program of the job. */
  readonly functions?: { readonly id: ProgramId } | undefined
}

export interface SqlStage {
  readonly inputs: readonly SqlInput[]
  /** One SELECT over the views of the inputs, whose columns a file of its output holds. */
  readonly sql: string
  /** Of the engine of each task. Default: one. */
  readonly threads?: number
  readonly output:
    /** `isResult`: they go back to the caller. */
    | { readonly kind: 'rows'; readonly format: 'parquet' | 'csv'; readonly isResult?: true }
    /** Values of later steps of a program: a line for each row, which is the encoding of an object with these names. */
    | { readonly kind: 'values'; readonly names: readonly string[] }
    /** `hash`: the last column, which decides the partition of a row and is not passed on. Without it a task writes one partition. */
    | { readonly kind: 'exchange'; readonly hash?: string }
}

export type SqlInput =
  /**
   * `ranges`: those of the task's split that belong to this table, behind those of the inputs before. Default: all that are left.
   * `columns`: those of a Parquet table that the stage reads. Default: all.
   */
  | {
      readonly kind: 'table'; readonly view: string; readonly table: number; readonly ranges?: number
      readonly columns?: readonly string[]
    }
  /**
   * Rows of an earlier stage: the task's partition, or all of a stage with one partition. `columns`: the list of a SELECT over its files.
   * `none`: a SELECT with the same columns and no rows.
   */
  | {
      readonly kind: 'stage'; readonly view: string; readonly stage: number; readonly how: 'partition' | 'all'
      readonly columns: string; readonly none: string
    }

export const sqlProgram = 'sql' as ProgramId

/** True for a job of SQL. The parameters of a program do not have its own hash in them. */
export const isSql = (
  { program, params }: { readonly program: { readonly id: ProgramId }; readonly params: Readonly<Record<string, unknown>> },
): boolean =>
  program.id === sqlProgram || (params['query'] as Partial<SqlWork> | null | undefined)?.functions?.id === program.id
