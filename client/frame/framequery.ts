// The SQL of a DataFrame: one SELECT over a source, to which steps are added as long as the clauses of a SELECT are computed in the order
// of the steps; the next step then begins a SELECT over this one. Immutable. INVARIANT: an order is that of the last sort among the steps,
// as long as no step after it may change the rows' order (docs/guide/dataframe.md).

import { GristmillError } from '../../src/base/errors.ts'
import { literalsOf, quotedName } from '../../src/base/sql.ts'
import { col, SortKey, type AnyExpr } from './expr.ts'

/** Name of the source in its SELECT. */
const table = 't'

/** The list of a SELECT. */
interface Items {
  readonly list: string
  /** Name that a column of the source has in the list; undefined: it is not in it. */
  readonly nameOf: (name: string) => string | undefined
  /** Number of leading items that are grouped by. */
  readonly keys?: number | undefined
}

interface Clauses {
  readonly from: string
  readonly where?: readonly AnyExpr[] | undefined
  readonly qualify?: AnyExpr | undefined
  readonly items?: Items | undefined
  readonly isDistinct?: boolean | undefined
  readonly order?: readonly SortKey[] | undefined
  readonly limit?: number | undefined
  readonly offset?: number | undefined
}

export class FrameQuery {
  readonly #clauses: Clauses

  private constructor(clauses: Clauses) { this.#clauses = clauses }

  /** All rows of a table, or of a query in brackets. */
  static over(source: string): FrameQuery { return new FrameQuery({ from: `${source} AS ${table}` }) }

  get sql(): string {
    const { from, where = [], qualify, items, isDistinct, order = [], limit, offset } = this.#clauses
    const text = (expr: AnyExpr): string => expr.render(table)
    const keys = items?.keys ?? 0
    return [
      `SELECT ${isDistinct ? 'DISTINCT ' : ''}${items?.list ?? '*'} FROM ${from}`,
      ...where.length > 0 ? [`WHERE ${where.map(text).join(' AND ')}`] : [],
      ...keys > 0 ? [`GROUP BY ${Array.from({ length: keys }, (_, i) => i + 1).join(', ')}`] : [],
      ...qualify ? [`QUALIFY ${text(qualify)}`] : [],
      ...order.length > 0 ? [`ORDER BY ${order.map(({ expr, suffix }) => text(expr) + suffix).join(', ')}`] : [],
      ...limit !== undefined ? [`LIMIT ${limit}`] : [],
      ...offset !== undefined && offset > 0 ? [`OFFSET ${offset}`] : [],
    ].join(' ')
  }

  filter(condition: AnyExpr): FrameQuery {
    if (condition.has('aggregate', 'unnest'))
      throw new GristmillError('EINVAL',
        `a condition on single rows has an aggregate or unnest: ${condition.render('')}; filter behind agg or select`)
    const on = this.#isOpen ? this : this.#wrapped()
    if (condition.has('window')) return on.#set({ qualify: condition })
    return on.#set({ where: [...on.#clauses.where ?? [], condition] })
  }

  select(exprs: readonly AnyExpr[]): FrameQuery {
    const list = exprs.map(expr => `${expr.render(table)} AS ${quotedName(expr.columnName)}`).join(', ')
    const names = new Map(exprs.flatMap(expr => (expr.plainColumn === undefined ? []
      : [[expr.plainColumn.toLowerCase(), expr.columnName]])))
    return this.#selected({ list, nameOf: name => names.get(name.toLowerCase()) }, exprs)
  }

  /** All columns, of which those with a name among these are replaced, and behind the others. */
  withColumns(exprs: readonly AnyExpr[]): FrameQuery {
    const names = exprs.map(expr => expr.columnName.toLowerCase())
    const own = exprs.map(expr => `${expr.render(table)} AS ${quotedName(expr.columnName)}`)
    const list = [`COLUMNS(lambda c: NOT list_contains(${literalsOf(names)}, lower(c)))`, ...own].join(', ')
    return this.#selected({ list, nameOf: name => (names.includes(name.toLowerCase()) ? undefined : name) }, exprs)
  }

  drop(names: readonly string[]): FrameQuery {
    const gone = new Set(names.map(name => name.toLowerCase()))
    return this.#selected({
      list: `* EXCLUDE (${names.map(quotedName).join(', ')})`, nameOf: name => (gone.has(name.toLowerCase()) ? undefined : name),
    }, [])
  }

  rename(pairs: readonly (readonly [string, string])[]): FrameQuery {
    const names = new Map(pairs.map(([from, to]) => [from.toLowerCase(), to]))
    const list = `* RENAME (${pairs.map(([from, to]) => `${quotedName(from)} AS ${quotedName(to)}`).join(', ')})`
    return this.#selected({ list, nameOf: name => names.get(name.toLowerCase()) ?? name }, [])
  }

  /** A row for each element of a column. `elements`: the expression that makes them. */
  explode(elements: AnyExpr): FrameQuery {
    const name = elements.columnName
    const list = `* REPLACE (${elements.render(table)} AS ${quotedName(name)})`
    return this.#selected({ list, nameOf: each => (each.toLowerCase() === name.toLowerCase() ? undefined : each) }, [elements])
  }

  aggregate(keys: readonly AnyExpr[], aggregates: readonly AnyExpr[]): FrameQuery {
    const on = this.#isOpen ? this : this.#wrapped(false)
    const exprs = [...keys, ...aggregates]
    const list = exprs.map(expr => `${expr.render(table)} AS ${quotedName(expr.columnName)}`).join(', ')
    return on.#set({ items: { list, nameOf: () => undefined, keys: keys.length }, order: undefined })
  }

  /** Sorts by these keys; rows with equal ones stay in the order that they have. */
  sort(orders: readonly SortKey[]): FrameQuery {
    const on = this.#isOpen ? this : this.#wrapped()
    return on.#set({ order: [...orders, ...on.#clauses.order ?? []] })
  }

  limit(count: number | undefined, offset: number): FrameQuery {
    const on = this.#isLimited ? this.#wrapped() : this
    return on.#set({ limit: count, offset })
  }

  distinct(): FrameQuery {
    const { items, order, isDistinct } = this.#clauses
    return items || order || isDistinct || this.#isLimited ? this.#wrapped(false).#set({ isDistinct: true })
      : this.#set({ isDistinct: true })
  }

  /** Nothing but rows of the source, of which some are left out. */
  get #isOpen(): boolean {
    const { items, qualify, isDistinct } = this.#clauses
    return !items && !qualify && !isDistinct && !this.#isLimited
  }

  get #isLimited(): boolean { return this.#clauses.limit !== undefined || this.#clauses.offset !== undefined }

  #selected(items: Items, exprs: readonly AnyExpr[]): FrameQuery {
    const { order } = this.#clauses
    // Only what is computed from one row alone may be computed before or after rows are left out or sorted.
    const isAlone = !exprs.some(expr => expr.has('aggregate', 'window', 'unnest', 'fragment'))
    const isOpen = !this.#clauses.items && !this.#clauses.qualify && !this.#clauses.isDistinct
    if (isOpen && (isAlone || !this.#isLimited) && (isAlone || !order)) return this.#set({ items })
    const hasAggregates = exprs.some(expr => expr.has('aggregate'))
    return this.#wrapped(!hasAggregates).#set({ items })
  }

  /**
   * A SELECT over this one. An order goes there, as far as it is by columns that are still there; it cannot be seen in the last one here.
   */
  #wrapped(keepsOrder = true): FrameQuery {
    const { order = [], items } = this.#clauses
    const moved: SortKey[] = []
    for (const { expr, suffix } of keepsOrder ? order : []) {
      const name = expr.plainColumn === undefined ? undefined : items ? items.nameOf(expr.plainColumn) : expr.plainColumn
      if (name === undefined) break
      moved.push(new SortKey(col(name), suffix))
    }
    const inner = moved.length === order.length && !this.#isLimited ? this.#set({ order: undefined }) : this
    return new FrameQuery({ from: `(${inner.sql}) AS ${table}`, ...moved.length > 0 && { order: moved } })
  }

  #set(clauses: Partial<Clauses>): FrameQuery { return new FrameQuery({ ...this.#clauses, ...clauses }) }
}
