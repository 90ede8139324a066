// DataFrame: a lazy query over a table, made of steps and compiled to one text of SQL, which the planner of `mill.sql` runs. A frame never
// changes; each step makes another one. Row is the type of its rows, where the caller has given the type of the table's.

import { GristmillError } from '../../src/base/errors.ts'
import { quotedName } from '../../src/base/sql.ts'
import type { Dataset } from '../../src/program/dataset.ts'
import type { QueryTables } from '../../src/program/queries.ts'
import type { Sources } from '../../src/program/sources.ts'
import { shown } from '../call/arguments.ts'
import type { Run } from '../jobs/running.ts'
import type { OutsideWritten, SqlExportOptions } from '../sql/cluster.ts'
import type { SqlExplanation } from '../sql/explained.ts'
import type { SqlOptions, SqlQuery, SqlRow, SqlSaveOptions } from '../sql/query.ts'
import { count } from './aggregates.ts'
import { unitedOptions } from './frameoptions.ts'
import { FrameQuery } from './framequery.ts'
import {
  Expr, identifier, inputOf, operandOf, orderOf, sideColumn, type AnyExpr, type ColumnInput, type NameOf, type SortInput, type Resolved,
    type ValueOf,
} from './expr.ts'
import { unnest } from './functions.ts'
import { showRows } from './show.ts'

export interface FrameTools {
  readonly query: (text: string, options: SqlOptions) => SqlQuery
  readonly print: (text: string) => void
  /** Options of its query. */
  readonly options?: SqlOptions | undefined
  /** Id of the cluster that it reads. Default: that of the frame with which it is joined. */
  readonly cluster?: string | undefined
  /** Datasets that the frame reads, by their names as tables. */
  readonly tables?: QueryTables | undefined
}

type Names<Row> = keyof Row & string
type ItemOf<Row> = ColumnInput<Names<Row>>
type ExprOn<Row> = Expr<unknown, Names<Row>, string>
/** Row of the columns that a list of names and expressions makes. */
type Selected<Row, I> = { readonly [K in I as NameOf<K>]: Resolved<ValueOf<K>, Row> }
type Replaced<Row, I> = Omit<Row, NameOf<I>> & Selected<Row, I>
type Renamed<Row, M> = { readonly [K in keyof Row as K extends keyof M ? M[K] extends string ? M[K] : K : K]: Row[K] }
type Lower<Names> = Names extends string ? Lowercase<Names> : never
/** The name with the first number that no name has, as the engine counts: without regard to case. */
type Numbered<Name extends string, Taken, N extends 0[] = [0]> =
  Lowercase<`${Name}_${N['length']}`> extends Taken ? Numbered<Name, Taken, [...N, 0]> : `${Name}_${N['length']}`
type Beside<Name extends string, Left> =
  string extends Left ? Name : Lowercase<Name> extends Lower<Left> ? Numbered<Name, Lower<Left>> : Name
/** Columns of both sides: `keys` once, and those of the right side with a name of the left with a number. */
type Joined<L, R, Keys> = L & { readonly [K in keyof R as K extends Keys ? never : Beside<K & string, keyof L>]: R[K] }

export type FrameJoin = 'inner' | 'left' | 'right' | 'full' | 'semi' | 'anti'
type JoinRow<L, R, Keys, Kind> = Kind extends 'semi' | 'anti' ? L : Joined<L, R, Keys>
const joins: Readonly<Record<FrameJoin, string>> = {
  inner: 'JOIN', left: 'LEFT JOIN', right: 'RIGHT JOIN', full: 'FULL JOIN', semi: 'SEMI JOIN', anti: 'ANTI JOIN',
}

/** Columns of one side of a join, by their names. */
type JoinSide<Row> = { readonly [K in Names<Row>]: Expr<Row[K], never, K> }

export class DataFrame<Row extends object = SqlRow> implements AsyncIterable<Row> {
  readonly #tools: FrameTools
  readonly #block: FrameQuery

  /** For this room: `mill.table` makes frames. */
  constructor(tools: FrameTools, block: FrameQuery) {
    this.#tools = tools
    this.#block = block
  }

  /** The rows for which the condition is true. */
  filter(condition: ExprOn<Row>): DataFrame<Row> { return this.#then(this.#block.filter(exprIn(condition, 'filter'))) }

  /** These columns: names, and expressions. */
  select<const I extends readonly ItemOf<Row>[]>(...items: I): DataFrame<Selected<Row, I[number]>> {
    return this.#then(this.#block.select(columnsIn(items, 'select')))
  }

  /** All columns and these; one that exists is replaced, and then comes behind the others. */
  withColumns<const I extends readonly ExprOn<Row>[]>(...items: I): DataFrame<Replaced<Row, I[number]>> {
    return this.#then(this.#block.withColumns(columnsIn(items, 'withColumns')))
  }

  /** All columns but these. */
  drop<const N extends Names<Row>>(...names: readonly N[]): DataFrame<Omit<Row, N>> {
    return this.#then(this.#block.drop(some(names, 'drop').map(identifier)))
  }

  /** The same columns, some under other names: { old: 'new' }. */
  rename<const M extends { readonly [K in Names<Row>]?: string }>(names: M): DataFrame<Renamed<Row, M>> {
    const pairs = some(Object.entries(names as Readonly<Record<string, string>>), 'rename')
    return this.#then(this.#block.rename(pairs.map(([from, to]) => [identifier(from), identifier(to)])))
  }

  /** Rows with equal values of these columns together, for `agg`. */
  groupBy<const K extends readonly ItemOf<Row>[]>(...keys: K): GroupedFrame<Row, K[number]> {
    const exprs = columnsIn(keys, 'groupBy')
    return new GroupedFrame(aggregates => this.#then(this.#block.aggregate(exprs, unique([...exprs, ...aggregates]).slice(exprs.length))))
  }

  /** One row, of aggregates over all rows. */
  agg<const A extends readonly ExprOn<Row>[]>(...aggregates: A): DataFrame<Selected<Row, A[number]>> {
    return this.#then(this.#block.aggregate([], columnsIn(aggregates, 'agg')))
  }

  /** Sorts by these keys: names, expressions, `desc('n')`. NULL comes last. */
  sort(...keys: readonly SortInput<Names<Row>>[]): DataFrame<Row> {
    return this.#then(this.#block.sort(some(keys, 'sort').map(key => orderOf(key as SortInput))))
  }

  /** At most so many rows, behind the first `offset`. */
  limit(rows: number, offset = 0): DataFrame<Row> { return this.#then(this.#block.limit(whole(rows), whole(offset))) }

  /** Each different row once. */
  distinct(): DataFrame<Row> { return this.#then(this.#block.distinct()) }

  /** A row for each element of a LIST; rows with an empty one, or NULL, are left out. */
  explode<const N extends Names<Row>>(name: N): DataFrame<Row> {
    return this.#then(this.#block.explode(unnest(name) as AnyExpr))
  }

  /**
   * Rows of this frame with those of another one that have equal values in the columns `on`, which both have; or for which `on` gives a
   * true condition. `semi`, `anti`: rows of this frame that have, or do not have, such a row. Default: inner.
   */
  join<R extends object, const K extends Names<Row> & Names<R>, const Kind extends FrameJoin = 'inner'>(
    other: DataFrame<R>, on: K | readonly K[], kind?: Kind,
  ): DataFrame<JoinRow<Row, R, K, Kind>>
  join<R extends object, const Kind extends FrameJoin = 'inner'>(
    other: DataFrame<R>, on: (left: JoinSide<Row>, right: JoinSide<R>) => Expr<unknown, never, string>, kind?: Kind,
  ): DataFrame<JoinRow<Row, R, never, Kind>>
  join(other: DataFrame, on: unknown, kind: FrameJoin = 'inner'): DataFrame<never> {
    if (!(other instanceof DataFrame)) throw new GristmillError('EINVAL', `join takes a frame, and not ${shown(other)}`)
    if (!Object.hasOwn(joins, kind))
      throw new GristmillError('EINVAL', `a join is one of ${Object.keys(joins).join(', ')}, and not ${shown(kind)}`)
    const condition = typeof on === 'function'
      ? `ON ${exprIn((on as (...sides: unknown[]) => unknown)(sideOf('l'), sideOf('r')), 'join').render('')}`
      : `USING (${some([on].flat(), 'join').map(name => quotedName(identifier(name as string))).join(', ')})`
    return this.#joined(other as DataFrame<never>, joins[kind], condition)
  }

  /** Each row of this frame with each of the other one. */
  crossJoin<R extends object>(other: DataFrame<R>): DataFrame<Joined<Row, R, never>> {
    return this.#joined(other as unknown as DataFrame<never>, 'CROSS JOIN', '')
  }

  /** Rows of both frames, with their columns matched by name. */
  union(other: DataFrame<Row>): DataFrame<Row> { return this.#set(other, 'UNION ALL BY NAME') }
  /** Different rows that both frames have, with columns matched by their places. */
  intersect(other: DataFrame<Row>): DataFrame<Row> { return this.#set(other, 'INTERSECT') }
  /** Different rows of this frame that the other one does not have. */
  except(other: DataFrame<Row>): DataFrame<Row> { return this.#set(other, 'EXCEPT') }

  /** All rows. */
  async collect(): Promise<Row[]> { return await this.query().collect() as unknown[] as Row[] }

  /** Rows one by one. Leaving the loop ends the query. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Row, void, undefined> {
    for await (const row of this.query()) yield row as unknown as Row
  }

  /** The first row; undefined if there is none. */
  async first(): Promise<Row | undefined> { return (await this.limit(1).collect())[0] }

  /** The number of rows. */
  async count(): Promise<number> {
    const [row] = await this.#then<SqlRow>(this.#block.aggregate([], [count() as AnyExpr])).collect()
    return Number(row!['count'])
  }

  /** Publishes the rows as the output of a job, as `mill.sql(…).save`. */
  save(path: string, options?: SqlSaveOptions): Promise<Run> { return this.query().save(path, options) }

  /** Moves the rows to a table of PostgreSQL, or below a prefix of S3, as `mill.sql(…).export`. */
  export(url: string, options?: SqlExportOptions): Promise<OutsideWritten> { return this.query().export(url, options) }

  /** The rows as an Arrow IPC stream, in pieces, as `mill.sql(…).arrow()` gives them. */
  arrow(): AsyncGenerator<Uint8Array, void, undefined> { return this.query().arrow() }

  /**
   * The rows as a Dataset of a program, with the values that `collect` gives. `mill`: what the program's function gets. The query runs
   * once, as a job of its own with the queue, priority and memory of the frame, before the first step that reads its rows. Throws EINVAL
   * for a frame with a module of functions, which no query of a program calls.
   */
  toDataset(mill: Pick<Sources, 'sql'>): Dataset<Row> {
    if (typeof (mill as Partial<Sources> | undefined)?.sql !== 'function' || 'table' in mill)
      throw new GristmillError('EINVAL', `toDataset takes the mill that a program's function gets, and not ${shown(mill)}`)
    if (this.#tools.options?.functions !== undefined)
      throw new GristmillError('EINVAL', 'toDataset: the frame has a module of functions, and a query of a program calls none; leave out '
        + 'the option functions and call them in a step of the Dataset (map, filter), or save the rows of the frame and read them')
    const { queue, priority, memoryBytes } = this.#tools.options ?? {}
    return mill.sql<Row>(this.#block.sql, this.#tools.tables, { queue, priority, memoryBytes })
  }

  /** Explains how the frame would be computed; `analyze` computes it. */
  explain(options?: { readonly analyze?: boolean }): Promise<SqlExplanation> { return this.query().explain(options) }

  /** Prints the first rows as a table. */
  async show(rows = 20): Promise<void> {
    await using running = await this.#then(this.#block.limit(whole(rows) + 1, 0)).query().run()
    this.#tools.print(await showRows(running, rows))
  }

  /** A summary of each column: type, least and greatest value, mean, quartiles, number of values, part of NULL. */
  describe(): DataFrame { return this.#then(FrameQuery.over(`(SUMMARIZE ${this.#block.sql})`)) }

  /** The query, to run it in other ways. */
  query(): SqlQuery { return this.#tools.query(this.#block.sql, this.#tools.options ?? {}) }

  /** Its text. */
  toSQL(): string { return this.#block.sql }

  #joined<R extends object>(other: DataFrame<never>, operator: string, condition: string): DataFrame<R> {
    const source = `(${this.#block.sql}) AS l ${operator} (${other.toSQL()}) AS r ${condition}`
    return this.#with(other, FrameQuery.over(`(SELECT * FROM ${source.trimEnd()})`))
  }

  #set(other: DataFrame<Row>, operator: string): DataFrame<Row> {
    if (!(other instanceof DataFrame)) throw new GristmillError('EINVAL', `a set operation takes a frame, and not ${shown(other)}`)
    return this.#with(other as unknown as DataFrame<never>, FrameQuery.over(`((${this.#block.sql}) ${operator} (${other.toSQL()}))`))
  }

  /** A frame that reads what both read, with the options of both. One of a program is run by the program, with what it is joined with. */
  #with<R extends object>(other: DataFrame<never>, block: FrameQuery): DataFrame<R> {
    const [own, others] = [this.#tools, other.#tools]
    if (own.cluster !== undefined && others.cluster !== undefined && own.cluster !== others.cluster)
      throw new GristmillError('EINVAL', 'the two frames read two clusters, and a query reads one; copy a table into the other cluster')
    const tools = others.tables && !own.tables ? others : own
    const tables = own.tables ?? others.tables ? { tables: { ...own.tables, ...others.tables } } : {}
    return new DataFrame<R>({ ...tools, ...tables, options: unitedOptions(own.options ?? {}, others.options ?? {}) }, block)
  }

  #then<R extends object>(block: FrameQuery): DataFrame<R> { return new DataFrame<R>(this.#tools, block) }
}

/** Groups of rows of a frame. */
export class GroupedFrame<Row extends object, K> {
  readonly #aggregate: (aggregates: readonly AnyExpr[]) => DataFrame<never>

  constructor(aggregate: (aggregates: readonly AnyExpr[]) => DataFrame<never>) { this.#aggregate = aggregate }

  /** A row for each group: its keys, and these aggregates. */
  agg<const A extends readonly ExprOn<Row>[]>(...aggregates: A): DataFrame<Selected<Row, K | A[number]>> {
    return this.#aggregate(aggregates.map(each => exprIn(each, 'agg'))) as unknown as DataFrame<Selected<Row, K | A[number]>>
  }
}

/** A frame over a table by its path, or over a query in SQL. */
export function frameOver(tools: FrameTools, source: string | Expr): DataFrame {
  if (typeof source === 'string') return new DataFrame(tools, FrameQuery.over(quotedName(identifier(source))))
  if (source instanceof Expr) return new DataFrame(tools, FrameQuery.over((source as AnyExpr).render('')))
  throw new GristmillError('EINVAL', `a table is the path of a file, directory or pattern, or sql\`SELECT …\`, and not ${shown(source)}`)
}

const sideOf = (side: string): unknown =>
  new Proxy({}, { get: (_, name) => (typeof name === 'string' ? sideColumn(side, name) : undefined) })

function columnsIn(items: readonly unknown[], step: string): AnyExpr[] {
  return unique(some(items, step).map(item => {
    if (typeof item !== 'string' && !(item instanceof Expr))
      throw new GristmillError('EINVAL', `${step} takes names of columns and expressions, and not ${shown(item)}`)
    return inputOf(item as ColumnInput)
  }))
}

function unique(exprs: AnyExpr[]): AnyExpr[] {
  const names = new Set<string>()
  for (const { columnName } of exprs) {
    if (names.has(columnName.toLowerCase()))
      throw new GristmillError('EINVAL', `two columns would have the name ${columnName}; give one of them another: .as('name')`)
    names.add(columnName.toLowerCase())
  }
  return exprs
}

function some<T>(items: readonly T[], step: string): readonly T[] {
  if (items.length === 0) throw new GristmillError('EINVAL', `${step} needs at least one column`)
  return items
}

function exprIn(value: unknown, step: string): AnyExpr {
  if (typeof value === 'boolean') return operandOf(value)
  if (!(value instanceof Expr)) throw new GristmillError('EINVAL',
    `${step} takes an expression, such as col('n').gt(1), and not ${shown(value)}`)
  return value as AnyExpr
}

function whole(rows: number): number {
  if (!Number.isSafeInteger(rows) || rows < 0) throw new GristmillError('EINVAL',
    `a number of rows is ${shown(rows)}; it must be a whole number`)
  return rows
}
