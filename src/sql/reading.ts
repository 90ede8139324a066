// State of the reader of DuckDB's plan, which the files of single operators share.

import type { PlanColumn } from './expression.ts'
import { listOf, numberOf, type Json } from './json.ts'
import type { Relation, Share } from './relation.ts'
import { unsupported } from './unsupported.ts'

/** State while one plan is read: names of columns, and the relations that are read several times. */
export interface PlanReading {
  column(type: string): PlanColumn
  read(node: Json): Relation
  share(relation: Relation): Share
  readonly ctes: Map<number, Share>
  /** Innermost last: the distinct values of a correlated join that is being read. */
  readonly delims: Share[]
}

/** Columns that an operator passes on; an empty map stands for all. */
export function picked(columns: readonly PlanColumn[], map: Json | undefined): readonly PlanColumn[] {
  const indexes = listOf(map)
  return indexes.length === 0 ? columns : indexes.map(index => columns[numberOf(index)] ?? unsupported('a column that is not there'))
}
