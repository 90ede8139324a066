// Types of a distributed query: what the planner (plan.ts) makes of a SELECT and what a runtime executes. Types only.
//
// A QueryPlan is a list of stages in an order in which they can run; the last one gives the result. A stage runs one SQL text in each of
// its tasks, with DuckDB, over views. What a runtime has to promise:
// - A view has exactly the columns of its input, with their declared types, also when it has no rows (an empty split or partition).
// - Each row of a `split` input is in exactly one task; a table may have no split at all, and then the stage has no task and no rows.
// - Each row of an exchange is in exactly one partition, the one that `partitionOf` (partition.ts) names; all exchanges of a query have
//   one number of partitions, and task p of a stage reads partition p of each of its `partition` inputs.
// - All DuckDBs of a query, the planner's oracle included, have one version and the same settings (time zone, default order of nulls);
//   those of tasks run `taskSettings` (optimizers.ts) first. Rows of a stage follow one another in the order of its tasks where it costs
//   nothing, so that queries without ORDER BY show the order of the files; only a stage whose result is `ordered` promises an order.
//
// Two things differ from the usual picture of an exchange. Its hash is a column of the stage's SQL, so that the planner alone knows how
// keys of different types are made comparable. And there is no merge of sorted tasks: an order is made by one last task, which gets no
// more rows than the result has (ORDER BY with LIMIT keeps the top rows in each task first).

export interface QueryColumn {
  readonly name: string
  /** As DuckDB writes it: `DECIMAL(15,2)`, `STRUCT(a INTEGER)[]`. */
  readonly type: string
}

/** A table as the planner sees it. */
export interface TableInfo {
  /** As it is written in the query, without quotes: `t`, or a path such as `/logs/*.csv`. Compared without regard to case. */
  readonly name: string
  readonly columns: readonly QueryColumn[]
  /** Sizes decide which side of a join is broadcast. Default: unknown, which is taken for large. */
  readonly bytes?: number
  readonly rows?: number
  /** Distinct values of columns, at most, as far as they are known: an estimate, which decides about the order of joins. */
  readonly distinct?: ReadonlyMap<string, number>
}

/**
 * A condition on one column of a table. A row for which it is false or null is not needed: a runtime may leave out files, or parts of
 * files, in which no row can meet it.
 */
export type ScanCondition =
  | {
      readonly kind: 'compare'
      readonly column: string
      readonly comparison: '=' | '<' | '<=' | '>' | '>='
      /** SQL of a constant of the column's type. */
      readonly constant: string
    }
  | { readonly kind: 'null'; readonly column: string; readonly isNull: boolean }
  | { readonly kind: 'and' | 'or'; readonly conditions: readonly ScanCondition[] }

/** Reads of one table by all scans of a query. */
export interface TableScan {
  readonly columns: readonly string[]
  /** Each row that one of the scans needs meets all of them. Default: all rows are needed. */
  readonly conditions?: readonly ScanCondition[]
}

/** Rows that a stage reads, under a name of its SQL. */
export interface QueryInput {
  readonly view: string
  readonly from:
    /** Columns that are read, at least one; the view may have more. */
    | {
        readonly kind: 'table'
        readonly table: string
        readonly columns: readonly string[]
        /** Each row that the stage needs meets all of them. Its SQL has them too. */
        readonly conditions?: readonly ScanCondition[]
      }
    /** Index of an earlier stage. */
    | { readonly kind: 'stage'; readonly stage: number }
  /** `split`: one split of the table per task. `partition`: one partition of the exchange per task. `all`: all rows in each task. */
  readonly how: 'split' | 'partition' | 'all'
}

export type QueryOutput =
  /**
   * Rows go to partitions by `hash`, a column of type UBIGINT of the stage's SQL, never null, which is not passed on. Without it rows may
   * go to any partition.
   */
  | { readonly kind: 'exchange'; readonly hash?: string }
  /** One partition, which each task of its readers reads as a whole: gathered to one task, or broadcast to several. */
  | { readonly kind: 'single' }
  /** Result of the query. `ordered`: the stage has one task, and its rows are in the order of the result. */
  | { readonly kind: 'result'; readonly ordered: boolean }

export interface QueryStage {
  readonly name: string
  readonly inputs: readonly QueryInput[]
  /** One SELECT over the views of the inputs. */
  readonly sql: string
  /** Columns of the output, without the hash, in the order of the SELECT; the hash is the last column of the SELECT. */
  readonly columns: readonly QueryColumn[]
  /** `split`: one task per split of its one split input. `partition`: one per partition of its exchanges. `one`: one task. */
  readonly tasks: 'split' | 'partition' | 'one'
  readonly output: QueryOutput
}

/** Part of a query that runs in one task over all its rows, and why. */
export interface Gathered {
  /** Index of the stage. */
  readonly stage: number
  readonly reason: string
}

export interface QueryPlan {
  readonly stages: readonly QueryStage[]
  /** Columns of the result. Names may occur twice, as in DuckDB; the last stage has names of its own in the same order. */
  readonly columns: readonly QueryColumn[]
  readonly gathered: readonly Gathered[]
}

/**
 * A DuckDB without data of the user, given to the planner: it parses and binds. The planner creates empty tables in it, and none of them is
 * left when the planner returns. It has to have the settings that the tasks have, and it plans one query at a time.
 */
export interface SqlOracle {
  /** Runs one statement; values of its rows as text (`CAST(x AS VARCHAR)`), null for NULL. Rejects with DuckDB's message. */
  rows(sql: string): Promise<readonly (readonly (string | null)[])[]>
}
