// A job of SQL as its tasks get it: the parameter `query` of the job. Its program has a name and no code.

import type { ProgramId } from '../base/ids.ts'
import type { TableShape } from './sqltable.ts'

export interface SqlWork {
  readonly tables: readonly TableShape[]
  readonly stages: readonly SqlStage[]
}

export interface SqlStage {
  readonly inputs: readonly SqlInput[]
  /** One SELECT over the views of the inputs, whose columns a file of the format holds. */
  readonly sql: string
  readonly format: 'parquet' | 'csv' | 'jsonl'
}

interface SqlInput {
  readonly view: string
  readonly table: number
  /** Ranges of the task's split that belong to this table; they follow those of the inputs before. Default: all that are left. */
  readonly ranges?: number
}

export const sqlProgram = 'sql' as ProgramId
