// A scope of a random query: what stands behind FROM, and the columns that expressions may name. Shapes of queries make scopes and queries
// by the interface `Making`, which the generator keeps.

import type { Random } from './draw.ts'
import type { Field } from './expressions.ts'
import type { Kind } from './tables.ts'

export interface Source {
  readonly from: string
  readonly fields: readonly Field[]
  /** Columns that are unique together. */
  readonly unique: readonly string[]
}

export interface Query {
  readonly sql: string
  /** Of the columns o0, o1, … */
  readonly kinds: readonly Kind[]
  /** Its rows are the same in each run, also where sums of DOUBLE are rounded. */
  readonly isExact: boolean
}

export interface Making {
  readonly random: Random
  source(depth: number): Source
  /** `WHERE` with a condition, or an empty text. */
  where(source: Source, depth: number): string
  /** An alias that the query has not used. */
  alias(): string
}
