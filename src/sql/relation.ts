// Relational operators of a query, read from DuckDB's plan (operators.ts): frozen data with a `kind`. Columns have unique names, so that an
// operator refers to its inputs' columns by name and their order means nothing. A part that is read twice is a `shared` relation.

import type { AggregateCall } from './aggregate.ts'
import type { PlanColumn, Expression, SqlOrder } from './expression.ts'
import type { ScanCondition } from './query.ts'
import type { WindowCall } from './windowcall.ts'

export interface Item {
  readonly column: PlanColumn
  readonly expression: Expression
}

export interface JoinCondition {
  readonly left: Expression
  readonly right: Expression
  readonly comparison: string
}

export type JoinType = 'INNER' | 'LEFT' | 'RIGHT' | 'FULL' | 'SEMI' | 'ANTI' | 'MARK'

/** A join without its inputs. */
export interface JoinParts {
  readonly type: JoinType
  readonly conditions: readonly JoinCondition[]
  readonly rest: readonly Expression[]
  readonly mark?: PlanColumn
}

/** A relation that several others read: it is computed once. */
export interface Share {
  readonly name: string
  readonly relation: Relation
}

export interface ScanRelation {
  readonly kind: 'scan'
  readonly table: string
  readonly columns: readonly PlanColumn[]
  /** Columns that conditions may name, too. */
  readonly read: readonly PlanColumn[]
  /** Names in the table, by column. A column without one stands for rows without columns. */
  readonly sources: ReadonlyMap<string, string>
  readonly conditions: readonly Expression[]
  /** Those of the conditions, and others that follow from the query, by which parts of files can be left out. */
  readonly bounds: readonly ScanCondition[]
}

export interface JoinRelation {
  readonly kind: 'join'
  readonly type: JoinType
  readonly left: Relation
  readonly right: Relation
  readonly conditions: readonly JoinCondition[]
  /** Conditions that are no comparison of one side with the other. */
  readonly rest: readonly Expression[]
  readonly columns: readonly PlanColumn[]
  /** The column of a MARK join that says whether the left row has a match. */
  readonly mark?: PlanColumn
}

export interface AggregateRelation {
  readonly kind: 'aggregate'
  readonly input: Relation
  readonly groups: readonly Item[]
  /** Grouping sets, as indexes of groups. */
  readonly sets: readonly (readonly number[])[]
  readonly groupings: readonly { readonly column: PlanColumn; readonly groups: readonly number[] }[]
  readonly calls: readonly { readonly column: PlanColumn; readonly call: AggregateCall }[]
  readonly columns: readonly PlanColumn[]
}

export type Relation =
  | ScanRelation
  | JoinRelation
  | AggregateRelation
  | { readonly kind: 'rows'; readonly columns: readonly PlanColumn[]; readonly rows: readonly (readonly Expression[])[] }
  | {
      readonly kind: 'filter'
      readonly input: Relation
      readonly conditions: readonly Expression[]
      readonly columns: readonly PlanColumn[]
    }
  | { readonly kind: 'project'; readonly input: Relation; readonly items: readonly Item[]; readonly columns: readonly PlanColumn[] }
  | { readonly kind: 'unnest'; readonly input: Relation; readonly items: readonly Item[]; readonly columns: readonly PlanColumn[] }
  | {
      readonly kind: 'window'
      readonly input: Relation
      readonly columns: readonly PlanColumn[]
      readonly calls: readonly { readonly column: PlanColumn; readonly call: WindowCall }[]
    }
  | { readonly kind: 'order'; readonly input: Relation; readonly orders: readonly SqlOrder[]; readonly columns: readonly PlanColumn[] }
  | {
      readonly kind: 'limit'
      readonly input: Relation
      readonly columns: readonly PlanColumn[]
      readonly limit?: number
      readonly offset: number
    }
  | {
      readonly kind: 'distinct'
      readonly input: Relation
      readonly columns: readonly PlanColumn[]
      /** `DISTINCT ON`: the first row of each key, by the orders. */
      readonly on?: readonly Expression[]
      readonly orders: readonly SqlOrder[]
    }
  | {
      readonly kind: 'set'
      readonly type: 'UNION' | 'EXCEPT' | 'INTERSECT'
      readonly all: boolean
      readonly inputs: readonly Relation[]
      readonly columns: readonly PlanColumn[]
    }
  /** A reader of a share; its columns are the share's, in the same order. */
  | { readonly kind: 'shared'; readonly share: Share; readonly columns: readonly PlanColumn[] }
