// Queries in SQL that are steps of a program over Datasets: each runs as a job of the program, whose rows later steps read.

import { GristmillError } from '../../src/base/errors.ts'
import type { InputPin } from '../../src/protocol/job.ts'
import type { Driver } from '../../src/protocol/task.ts'
import type { StepQuery } from '../../src/program/recipe.ts'
import type { Launch } from './launch.ts'
import type { Job } from './job.ts'
import type { Delivered } from './runinputs.ts'

/** A table of a query whose rows are JSON lines in a directory. */
export interface LinesTable {
  readonly name: string
  readonly path: string
  readonly columns: ReadonlyArray<readonly [name: string, type: string]>
}

export interface StepQueryGiven {
  readonly sql: string
  readonly tables: readonly LinesTable[]
  readonly driver: Driver
  readonly queue?: string | undefined
  readonly priority?: number | undefined
  readonly memoryBytes?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Inputs of a query, but for `tables`. */
interface QueryReads {
  readonly pins: readonly InputPin[]
  /** Names of views. */
  readonly views: readonly string[]
}

/** Submits the job of a query. `onReads` is called before, and may throw. Throws EINVAL with the message of the engine. */
export type SubmitStepQuery = (given: StepQueryGiven, onReads: (reads: QueryReads) => void) => Promise<Job>

interface StepQueryParts {
  readonly query: StepQuery
  readonly driver: Driver
  readonly delivered: readonly Delivered[]
  readonly submit: SubmitStepQuery | undefined
  readonly signal: AbortSignal | undefined
}

export async function submitStepQuery(
  { inputs, options, bundle }: Launch, { query: { sql, tables, options: own = {} }, driver, delivered, submit, signal }: StepQueryParts,
): Promise<Job> {
  if (!submit) throw new GristmillError('CONFIG_INVALID', `${bundle.name} runs a query, and this process has no SQL engine`)
  const { queue, priority, memoryBytes } = { ...options, ...own }
  const reads = inputs.step({ number: driver.step, delivered })
  try {
    const lines = tables.map(({ name, columns, step }) => ({ name, columns, path: reads.cachedOf(step) }))
    return await submit({ sql, tables: lines, driver, queue, priority, memoryBytes, signal }, ({ pins, views }) => {
      const others = pins.filter(({ path }) => !reads.isOwn(path))
      reads.note(others)
      reads.checkQuery(others, views)
      reads.record(others)
    })
  } catch (error) {
    reads.failed(error)
    throw error
  }
}
