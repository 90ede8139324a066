// Random DataFrames over random tables, each with its oracle: the same steps one by one, every one a table of plain DuckDB, in SQL that is
// written here for it alone.

import { frameOver, type DataFrame } from '../../client/frame/dataframe.ts'
import { asc, col, count, countDistinct, desc, lag, max, mean, min, rowNumber, sql, sum, when } from '../../client/frame/index.ts'
import type { AnyExpr } from '../../client/frame/expr.ts'
import type { TableInfo } from '../../src/sql/query.ts'
import type { Random } from './draw.ts'
import { kindOf } from './tables.ts'

type Frame = DataFrame<Record<string, unknown>>
interface Column { readonly name: string; readonly kind: string }

/** A frame on its way: what has been built, and the statement of each step, over the table `before`. */
interface Making {
  readonly frame: Frame
  readonly columns: readonly Column[]
  /** Its rows are in this order, in which only equal rows are equal. */
  readonly order: readonly Key[] | undefined
  readonly steps: readonly ((before: string) => string)[]
}

interface Key { readonly name: string; readonly isDown: boolean; readonly isFirst: boolean }

export interface RandomFrame { readonly frame: Frame; readonly isOrdered: boolean; readonly steps: Making['steps'] }

const tools = { query: () => { throw new Error('not run here') }, print: () => {} }
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

function start(random: Random, tables: readonly TableInfo[]): Making {
  const table = random.pick(tables)
  return {
    frame: frameOver(tools, table.name) as unknown as Frame, order: undefined,
    columns: table.columns.map(({ name }) => ({ name, kind: kindOf(name === 'id' ? 'int' : name) })),
    steps: [() => `SELECT * FROM memory.main.${table.name}`],
  }
}

export function randomFrame(random: Random, tables: readonly TableInfo[]): RandomFrame {
  let making = start(random, tables)
  for (let i = random.int(1, 7); i > 0; i--) making = random.pick(steps)(making, random, tables)
  return { ...making, isOrdered: making.order !== undefined }
}

type Step = (making: Making, random: Random, tables: readonly TableInfo[]) => Making

const then = ({ steps, ...making }: Making, change: Partial<Making>, step: (before: string) => string): Making =>
  ({ ...making, ...change, steps: [...steps, step] })

const numeric = (columns: readonly Column[]): readonly Column[] => columns.filter(({ kind }) => kind === 'int' || kind === 'dbl')
const names = (columns: readonly Column[]): string => columns.map(({ name }) => quoted(name)).join(', ')

const listOf = (texts: readonly string[], columns: readonly Column[]): string =>
  [...texts, ...columns.map(({ name }) => quoted(name))].join(', ')

/** A condition in both forms. */
function condition(columns: readonly Column[], random: Random): [AnyExpr, string] {
  const number = numeric(columns)
  if (number.length === 0 || random.chance(0.2)) {
    const { name } = random.pick(columns)
    return random.chance(0.5) ? [col(name).isNull(), `${quoted(name)} IS NULL`] : [col(name).isNotNull(), `${quoted(name)} IS NOT NULL`]
  }
  const { name } = random.pick(number)
  const value = random.int(-2, 6)
  switch (random.int(0, 4)) {
    case 0: return [col(name).gt(value), `${quoted(name)} > ${value}`]
    case 1: return [col(name).between(value - 2, value), `${quoted(name)} BETWEEN ${value - 2} AND ${value}`]
    case 2: return [col(name).isIn([value, 1]).not(), `${quoted(name)} NOT IN (${value}, 1)`]
    case 3: {
      const [[a, x], [b, y]] = [condition(columns, random), condition(columns, random)]
      return random.chance(0.5) ? [a.and(b), `(${x}) AND (${y})`] : [a.or(b), `(${x}) OR (${y})`]
    }
    default: return [sql`${col(name)} = ${value} OR ${col(name)} < ${value - 3}`,
      `${quoted(name)} = ${value} OR ${quoted(name)} < ${value - 3}`]
  }
}

/** A new column in both forms. */
function computed(columns: readonly Column[], random: Random, name: string): { expr: AnyExpr; text: string; column: Column } {
  const number = numeric(columns)
  const [test, testText] = condition(columns, random)
  if (number.length === 0 || random.chance(0.3))
    return {
      expr: when(test, 'yes').otherwise(null).as(name), text: `CASE WHEN ${testText} THEN 'yes' END AS ${quoted(name)}`,
      column: { name, kind: 'str' },
    }
  const from = random.pick(number)
  return {
    expr: col(from.name).cast('DOUBLE').mul(2).add(1).as(name) as AnyExpr,
      text: `CAST(${quoted(from.name)} AS DOUBLE) * 2 + 1 AS ${quoted(name)}`,
    column: { name, kind: 'dbl' },
  }
}

const isTaken = (columns: readonly Column[], name: string): boolean => columns.some(column =>
  column.name.toLowerCase() === name.toLowerCase())
const fresh = (columns: readonly Column[], name: string): string => (isTaken(columns, name) ? fresh(columns, `${name}x`) : name)

const orderText = (order: readonly Key[] | undefined): string =>
  (order ?? []).map(({ name, isDown, isFirst }) =>
    `${quoted(name)} ${isDown ? 'DESC' : 'ASC'} NULLS ${isFirst ? 'FIRST' : 'LAST'}`).join(', ')

/** The order under the new names of its columns; none if one of them is gone. */
function reordered(order: readonly Key[] | undefined, nameOf: (name: string) => string | undefined): readonly Key[] | undefined {
  const keys = (order ?? []).flatMap(key => { const name = nameOf(key.name); return name === undefined ? [] : [{ ...key, name }] })
  return order && keys.length === order.length ? keys : undefined
}

function sortAll({ columns }: Making, random: Random): { keys: ReturnType<typeof asc>[]; text: string; order: readonly Key[] } {
  const order = columns.map(({ name }) => ({ name, isDown: random.chance(0.5), isFirst: random.chance(0.2), at: random.next() }))
    .sort((a, b) => a.at - b.at)
  return {
    order, keys: order.map(({ name, isDown, isFirst }) => (isDown ? desc : asc)(name, isFirst ? { nulls: 'first' } : {})),
      text: orderText(order),
  }
}

const inOrder = ({ order }: Making): string => (order ? ` ORDER BY ${orderText(order)}` : '')

const steps: readonly Step[] = [
  function filter(making, random) {
    const [expr, text] = condition(making.columns, random)
    return then(making, { frame: making.frame.filter(expr) }, before => `SELECT * FROM ${before} WHERE ${text}`)
  },
  function select(making, random) {
    const kept = making.columns.filter(() => random.chance(0.7))
    const { expr, text, column } = computed(making.columns, random, fresh(kept, random.pick(['made', 'Total', 'a "b"'])))
    return then(making, { frame: making.frame.select(...kept.map(({ name }) => name), expr as AnyExpr) as unknown as Frame,
      columns: [...kept, column], order: reordered(making.order, name => (kept.some(column => column.name === name) ? name : undefined)) },
      before => `SELECT ${[...kept.map(({ name }) => quoted(name)), text].join(', ')} FROM ${before}`)
  },
  function withColumns(making, random) {
    const name = random.chance(0.5) ? random.pick(making.columns).name : fresh(making.columns, 'more')
    const kept = making.columns.filter(column => column.name !== name)
    if (kept.length === 0) return making
    const { expr, text, column } = computed(making.columns, random, name)
    return then(making, { frame: making.frame.withColumns(expr) as Frame, columns: [...kept, column],
      order: reordered(making.order, name => (kept.some(column => column.name === name) ? name : undefined)) },
      before => `SELECT ${names(kept)}, ${text} FROM ${before}`)
  },
  function dropAndRename(making, random) {
    if (making.columns.length < 2) return making
    const [gone, other, ...rest] = making.columns
    const name = fresh(making.columns, 'renamed')
    const frame = random.chance(0.5) ? making.frame.drop(gone!.name).rename({ [other!.name]: name })
      : making.frame.rename({ [other!.name]: name }).drop(gone!.name)
    return then(making, { frame: frame as Frame, columns: [{ ...other!, name }, ...rest],
      order: reordered(making.order, each => (each === gone!.name ? undefined : each === other!.name ? name : each)) },
      before => `SELECT ${listOf([`${quoted(other!.name)} AS ${quoted(name)}`], rest)} FROM ${before}`)
  },
  function sort(making, random) {
    const { keys, text, order } = sortAll(making, random)
    return then(making, { frame: making.frame.sort(...keys), order }, before => `SELECT * FROM ${before} ORDER BY ${text}`)
  },
  function top(making, random) {
    const { keys, text, order } = sortAll(making, random)
    const [rows, offset] = [random.int(0, 12), random.int(0, 3)]
    return then(making, { frame: making.frame.sort(...keys).limit(rows, offset), order },
      before => `SELECT * FROM ${before} ORDER BY ${text} LIMIT ${rows} OFFSET ${offset}`)
  },
  function limit(making, random) {
    if (!making.order) return making
    const rows = random.int(0, 9)
    return then(making, { frame: making.frame.limit(rows) }, before => `SELECT * FROM ${before} LIMIT ${rows}`)
  },
  function group(making, random) {
    const keys = making.columns.filter(({ kind }) => kind !== 'dbl').slice(0, random.int(0, 2))
    const number = numeric(making.columns)
    const of = number.length > 0 ? random.pick(number) : undefined
    const aggregates: [AnyExpr, string, Column][] = [[count().as('n#'), 'count(*) AS "n#"', { name: 'n#', kind: 'int' }]]
    if (of) {
      const name = quoted(of.name)
      aggregates.push([sum(of.name).as('s#'), `sum(${name}) AS "s#"`, { name: 's#', kind: of.kind }],
        [mean(of.name).as('m#'), `avg(${name}) AS "m#"`, { name: 'm#', kind: 'dbl' }],
        [min(of.name).as('l#'), `min(${name}) AS "l#"`, { name: 'l#', kind: of.kind }],
        [countDistinct(of.name).as('d#'), `count(DISTINCT ${name}) AS "d#"`, { name: 'd#', kind: 'int' }],
        [max(of.name).where(col(of.name).lt(5)).as('h#'), `max(CASE WHEN ${name} < 5 THEN ${name} END) AS "h#"`,
          { name: 'h#', kind: of.kind }])
    }
    const list = aggregates.map(([expr]) => expr)
    const own = keys.filter(({ name }) => !aggregates.some(([, , column]) => column.name === name))
    const frame = own.length === 0 ? making.frame.agg(...list) : making.frame.groupBy(...own.map(({ name }) => name)).agg(...list)
    return then(making, { frame: frame as Frame, columns: [...own, ...aggregates.map(([, , column]) => column)], order: undefined },
      before => `SELECT ${[...own.map(({ name }) => quoted(name)), ...aggregates.map(([, text]) => text)].join(', ')} FROM ${before}
        ${own.length > 0 ? ` GROUP BY ${names(own)}` : ''}`)
  },
  making => then(making, { frame: making.frame.distinct(), order: undefined }, before => `SELECT DISTINCT * FROM ${before}`),
  function join(making, random, tables) {
    const key = making.columns.find(({ name, kind }) => kind === 'int' && name !== 'key#')
    if (!key) return making
    const other = random.pick(tables)
    const right = (frameOver(tools, other.name) as unknown as Frame).select(col('id').add(1).as('key#'), col('id').mul(3).as('r#'))
    const kind = random.pick(['inner', 'left', 'semi', 'anti'] as const)
    if (isTaken(making.columns, 'r#')) return making
    const isUsing = random.chance(0.5)
    const isHalf = kind === 'semi' || kind === 'anti'
    const left = making.frame.withColumns(col(key.name).as('key#'))
    const frame = isUsing ? left.join(right, 'key#', kind) : left.join(right.rename({ 'key#': 'k#' }), (l, r) => l['key#']!.eq(r['k#']!),
      kind)
    const on = `${quoted(key.name)} = o.k`
    const from = `(SELECT *, ${quoted(key.name)} AS "key#" FROM BEFORE) AS b`
    const inner = `(SELECT id + 1 AS k, id * 3 AS "r#" FROM memory.main.${other.name}) AS o`
    const columns = [...making.columns.filter(({ name }) => name !== 'key#'), { name: 'key#', kind: 'int' }, ...isHalf ? []
      : [{ name: 'r#', kind: 'int' }]]
    const text = isHalf
      ? `SELECT b.* FROM ${from} WHERE ${kind === 'anti' ? 'NOT ' : ''}EXISTS (FROM ${inner} WHERE ${on})`
      : `SELECT b.*, o."r#" FROM ${from} ${kind === 'left' ? 'LEFT ' : ''}JOIN ${inner} ON ${on}`
    if (isTaken(making.columns, 'key#')) return making
    return then(making, { frame: (isUsing || isHalf ? frame : (frame as Frame).drop('k#')) as Frame, columns, order: undefined },
      before => text.replace('BEFORE', before))
  },
  function window(making, random) {
    if (isTaken(making.columns, 'w#')) return making
    const { keys, text } = sortAll(making, random)
    const { name } = random.pick(making.columns)
    const frame = making.frame.withColumns(rowNumber().over({ orderBy: keys }).as('w#'),
      lag(name, 1).over({ partitionBy: [name], orderBy: keys }).as('v#')) as unknown as Frame
    return then(making, { frame: frame as Frame, columns: [...making.columns.filter(column => column.name !== 'v#'),
      { name: 'w#', kind: 'int' }, { name: 'v#', kind: 'other' }],
      order: reordered(making.order, each => (each === 'v#' ? undefined : each)) }, before =>
        `SELECT ${names(making.columns.filter(column => column.name !== 'v#'))}, row_number() OVER (ORDER BY ${text}) AS "w#",
        lag(${quoted(name)}) OVER (PARTITION BY ${quoted(name)} ORDER BY ${text}) AS "v#" FROM ${before}${inOrder(making)}`)
  },
  function topOfEach(making, random) {
    const { keys, text } = sortAll(making, random)
    const { name } = random.pick(making.columns)
    return then(making, { frame: making.frame.filter(rowNumber().over({ partitionBy: [name], orderBy: keys }).le(2)) }, before =>
      `SELECT * EXCLUDE "rank#" FROM (SELECT *, row_number() OVER (PARTITION BY ${quoted(name)} ORDER BY ${text}) AS "rank#" FROM ${before})
        WHERE "rank#" <= 2${inOrder(making)}`)
  },
  function union(making, random) {
    const [expr, text] = condition(making.columns, random)
    return then(making, { frame: making.frame.union(making.frame.filter(expr)), order: undefined }, before =>
      `FROM ${before} UNION ALL (SELECT * FROM ${before} WHERE ${text})`)
  },
  function explode(making) {
    const list = making.columns.find(({ kind }) => kind === 'list')
    if (!list) return making
    return then(making, { frame: making.frame.explode(list.name), columns: making.columns.map(column =>
      (column === list ? { ...column, kind: 'int' } : column)), order: undefined },
      before => {
        const items = making.columns.map(column => (column === list ? `u.x AS ${quoted(column.name)}` : quoted(column.name)))
        return `SELECT ${items.join(', ')} FROM ${before}, LATERAL (SELECT unnest(${quoted(list.name)}) AS x) AS u`
      })
  },
]
