// Recipes: the graph that a program over Datasets describes, which the engine turns into a plan. Part of every bundle, as dataset.ts is.
//
// A recipe is a node of a plan (src/plan/node.ts) with functions in place of their numbers. Bundles outlive the version that made them, so
// recipes are a format: a field keeps its meaning, and the engine refuses kinds that it does not know. So is Flow, which the engine gives
// to a program.

import type { Context } from './definition.ts'

export interface Recipe {
  readonly kind: string
  readonly inputs: readonly Recipe[]
  /** Method that the program has called, and the stack of the call. */
  readonly at?: Place
  readonly [field: string]: unknown
}

export interface Place { readonly step: string; readonly stack: string }

/** Key of a sort: one function for each part, with its order. */
export interface SortRecipe { readonly sort: ReadonlyArray<{ readonly by: KeyFunction; readonly descending: boolean }> }

export type KeyFunction = (value: any, context: Context) => unknown

/** Runs the steps of a program: what its actions ask for. */
export interface Flow {
  /** Computes a write node, as one step. Resolves to the values that it returns to the program; a save returns none. */
  run(action: Action): Promise<readonly unknown[]>
  /** The same numbers in every run of the program's function. */
  random(): number
  /** Time at which the program was started, in milliseconds. */
  readonly now: number
}

/** Options of a save to a table of PostgreSQL. */
export interface OutsideOptions {
  readonly mode?: 'swap' | 'append' | 'upsert' | undefined
  readonly key?: readonly string[] | undefined
}

export interface Action {
  /** Method that the program has called. */
  readonly method: string
  /** Write node; with `result`, its values are returned to the program. */
  readonly root: Recipe
  /** The program needs only so many of the values, the first ones. */
  readonly first?: number
  /** How values are saved to a place outside of the cluster. */
  readonly outside?: OutsideOptions
  /** Computes a value that the program broadcasts, in place of a job. Called only where the program was started. */
  readonly broadcast?: () => unknown
  /** A query that the step runs, in place of its root. */
  readonly query?: StepQuery | undefined
}

/** Options of the job of a query. Default: those of the program's run. */
export interface QueryOptions {
  /** Queue by which its tasks get slots. */
  readonly queue?: string | undefined
  /** Jobs of the queue with a lower one get slots after it; -100 to 100. */
  readonly priority?: number | undefined
  /** Memory of each task. */
  readonly memoryBytes?: number | undefined
}

/** `tables`: those that earlier steps of the program have computed. */
export interface StepQuery {
  readonly sql: string
  readonly options?: QueryOptions
  readonly tables: ReadonlyArray<{
    readonly name: string; readonly columns: ReadonlyArray<readonly [name: string, type: string]>; readonly step: number
  }>
}

/** Place of the call of a method. REQUIRES: called while the program's call runs. */
export const at = (step: string): Place => ({ step, stack: new Error(step).stack ?? '' })
