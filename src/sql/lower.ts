// Stages of a query out of its relational operators: each operator runs in the tasks of its input where that gives the same rows, and
// behind an exchange where equal keys have to meet. Joins, aggregations and set operations have files of their own.

import { lowerAggregate, lowerDistinct } from './aggregation.ts'
import { columnExpression, orderSql, type SqlOrder } from './expression.ts'
import { columnList, isLocal, type Rows, type Stages } from './fragment.ts'
import { lowerJoin } from './joining.ts'
import type { TableInfo } from './query.ts'
import { nameSql } from './quote.ts'
import type { Item, Relation, ScanRelation, Share } from './relation.ts'
import { lowerSet } from './sets.ts'
import { among, meeting, projected, union, type Lower } from './shape.ts'
import { unsupported } from './unsupported.ts'

export function lowering(stages: Stages): Lower {
  const shared = new Map<Share, Rows>()
  const lower: Lower = (relation, needed) => {
    switch (relation.kind) {
      case 'scan':
        return lowerScan(relation, needed, stages)
      case 'rows':
        return lowerRows(relation)
      case 'filter': {
        const rows = lower(relation.input, union(needed, relation.conditions))
        const columns = among(rows.columns, needed)
        const conditions = relation.conditions.map(({ sql }) => sql).join(' AND ')
        const count = rows.count * 0.3 ** relation.conditions.length
        return stages.narrow(rows, columns, input => `SELECT ${columnList(columns)} FROM ${input} WHERE ${conditions}`, { count })
      }
      case 'project':
        return lowerProject(relation.items, relation.input, needed, lower, stages)
      case 'unnest':
        return lowerUnnest(relation, needed, lower, stages)
      case 'join':
        return lowerJoin(relation, needed, lower, stages)
      case 'aggregate':
        return lowerAggregate(relation, needed, lower, stages)
      case 'distinct':
        return lowerDistinct(relation, lower, stages)
      case 'set':
        return lowerSet(relation, lower, stages)
      case 'window':
        return lowerWindow(relation, needed, lower, stages)
      case 'order': {
        const rows = stages.local(
          lower(
            relation.input,
            union(
              needed,
              relation.orders.map(({ expression }) => expression),
            ),
          ),
          'sort',
        )
        return ordered(stages, rows, relation.orders, '')
      }
      case 'limit':
        return lowerLimit(relation, needed, lower, stages)
      case 'shared': {
        const { share, columns } = relation
        const rows = shared.get(share) ?? lowerShare(share, lower, stages)
        shared.set(share, rows)
        const renamed = new Map(share.relation.columns.map(({ name }, i) => [name, columns[i]!]))
        const items = rows.columns.flatMap(column =>
          renamed.has(column.name) ? [{ column: renamed.get(column.name)!, expression: columnExpression(column) }] : [],
        )
        return projected(
          stages,
          rows,
          items.filter(({ column }) => needed.has(column.name)),
        )
      }
    }
  }
  return lower
}

function lowerUnnest(
  { input, items }: Relation & { readonly kind: 'unnest' },
  needed: ReadonlySet<string>,
  lower: Lower,
  stages: Stages,
): Rows {
  const used = items.map(({ expression }) => expression)
  const rows = lower(input, union(needed, used))
  const kept = among(rows.columns, needed)
  const made = items.map(({ expression, column }) => `unnest(${expression.sql}) AS ${nameSql(column.name)}`)
  const columns = [...kept, ...items.map(({ column }) => column)]
  const list = [...kept.map(({ name }) => name), ...made].join(', ')
  return stages.narrow(rows, columns, from => `SELECT ${list} FROM ${from}`, { count: rows.count * 4 })
}

const typeValues: Readonly<Record<string, number>> = { BOOLEAN: 3, TINYINT: 257, UTINYINT: 257 }

const distinctIn = ({ distinct }: TableInfo, source: string, type: string | undefined): number | undefined =>
  distinct?.get(source) ?? (type === undefined ? undefined : typeValues[type])

/** Sizes that are not known are taken for large. */
const unknownRows = 1e9
const unknownRowBytes = 50

function lowerScan({ table, columns, sources, conditions, bounds }: ScanRelation, needed: ReadonlySet<string>, stages: Stages): Rows {
  const info = stages.tables.get(table.toLowerCase()) ?? unsupported(`the table ${table}, which is not known`)
  const all = union(needed, conditions)
  const read = [...sources].filter(([name]) => all.has(name))
  const names = read.length > 0 ? read.map(([, source]) => source) : [info.columns[0]!.name]
  const isSmall = stages.isOn('small-tables') && info.bytes !== undefined && info.bytes <= (stages.options.smallBytes ?? 1 << 20)
  const view = stages.view()
  const from = { kind: 'table', table: info.name, columns: names, ...(bounds.length > 0 && { conditions: bounds }) } as const
  const input = { view, from, how: isSmall ? 'all' : 'split' } as const
  const kept = columns.filter(({ name, hidden }) => needed.has(name) && !hidden)
  const list = read.map(([name, source]) => `${nameSql(source)} AS ${name}`)
  const inner = `SELECT ${list.length > 0 ? list.join(', ') : '0 AS c0'} FROM ${nameSql(view)}`
  const where = conditions.length > 0 ? ` WHERE ${conditions.map(each => each.sql).join(' AND ')}` : ''
  const sql = conditions.length === 0 && read.length === kept.length ? inner : `SELECT ${columnList(kept)} FROM (${inner}) AS t${where}`
  for (const [name, source] of read) {
    const most = distinctIn(info, source, columns.find(column => column.name === name)?.type)
    if (most !== undefined) stages.distinct.set(name, most)
  }
  const base = info.rows ?? (info.bytes === undefined ? unknownRows : info.bytes / unknownRowBytes)
  const tasks = isSmall ? ({ tasks: 'one', bare: true } as const) : ({ tasks: 'split' } as const)
  return { branches: [{ sql, inputs: [input], ...tasks }], columns: kept, partitionings: [], base, count: base * 0.3 ** conditions.length }
}

function lowerRows({ columns, rows }: Relation & { readonly kind: 'rows' }): Rows {
  const shown = columns.filter(({ hidden }) => !hidden)
  const select = (values: readonly string[]): string =>
    shown.length === 0
      ? 'SELECT 0 AS c0'
      : `SELECT ${shown.map(({ name, type }, i) => `CAST(${values[i]} AS ${type}) AS ${name}`).join(', ')}`
  const sql =
    rows.length === 0
      ? `${select(shown.map(() => 'NULL'))} WHERE false`
      : rows.map(row => select(row.map(each => each.sql))).join(' UNION ALL ')
  return {
    branches: [{ sql, inputs: [], tasks: 'one', bare: true }],
    columns: shown,
    partitionings: [],
    count: rows.length,
    base: rows.length,
  }
}

function lowerProject(items: readonly Item[], from: Relation, needed: ReadonlySet<string>, lower: Lower, stages: Stages): Rows {
  const kept = items.filter(({ column }) => needed.has(column.name))
  return projected(
    stages,
    lower(
      from,
      union(
        new Set(),
        kept.map(({ expression }) => expression),
      ),
    ),
    kept,
  )
}

function lowerWindow(
  { input, calls }: Relation & { readonly kind: 'window' },
  needed: ReadonlySet<string>,
  lower: Lower,
  stages: Stages,
): Rows {
  const rows = lower(
    input,
    union(
      needed,
      calls.map(({ call }) => call),
    ),
  )
  const kept = among(rows.columns, needed)
  const columns = [...kept, ...calls.map(({ column }) => column)]
  const list = [...kept.map(({ name }) => name), ...calls.map(({ call, column }) => `${call.sql} AS ${column.name}`)].join(', ')
  const made = (from: Rows): Rows => stages.narrow(from, columns, sql => `SELECT ${list} FROM ${sql}`)
  if (isLocal(rows)) return made(rows)
  const [first, ...others] = calls.map(({ call }) => call.partitions)
  const common = first!.filter(({ key, columns: used }) => used.size > 0 && others.every(list => list.some(each => each.key === key)))
  if (common.length === 0 || !stages.isOn('window-partitions')) {
    const local = stages.local(rows, 'window')
    stages.gather(common.length === 0 ? 'a window without a PARTITION BY that all windows share' : 'windows are not distributed')
    return made(local)
  }
  return made(meeting(stages, rows, common, 'window'))
}

const ordered = (stages: Stages, rows: Rows, orders: readonly SqlOrder[], limit: string): Rows => {
  const used = orders.filter(({ expression }) => expression.columns.size > 0)
  const order = used.length > 0 ? ` ORDER BY ${orderSql(used)}` : ''
  return stages.narrow(rows, rows.columns, input => `SELECT ${columnList(rows.columns)} FROM ${input}${order}${limit}`)
}

function lowerLimit(relation: Relation & { readonly kind: 'limit' }, needed: ReadonlySet<string>, lower: Lower, stages: Stages): Rows {
  const { input, limit, offset } = relation
  const orders = input.kind === 'order' ? input.orders : []
  let rows = lower(
    input.kind === 'order' ? input.input : input,
    union(
      needed,
      orders.map(({ expression }) => expression),
    ),
  )
  const text = `${limit === undefined ? '' : ` LIMIT ${limit}`}${offset > 0 ? ` OFFSET ${offset}` : ''}`
  if (!isLocal(rows)) {
    const rule = orders.length > 0 ? 'top-n' : 'limit-tasks'
    if (limit !== undefined && stages.isOn(rule)) rows = ordered(stages, rows, orders, ` LIMIT ${limit + offset}`)
    rows = stages.single(rows, orders.length > 0 ? 'top' : 'limit')
  }
  return { ...ordered(stages, rows, orders, text), count: Math.min(rows.count, limit ?? Infinity) }
}

/** Rows that are written once for all readers: in one partition if they are local, else as they lie. */
function lowerShare(share: Share, lower: Lower, stages: Stages): Rows {
  const names = new Set(share.relation.columns.filter(({ hidden }) => !hidden).map(({ name }) => name))
  const rows = lower(share.relation, names)
  if (isLocal(rows)) return stages.shareable(rows, share.name)
  const keys = rows.branches.length === 1 ? rows.partitionings[0] : undefined
  return stages.exchange(rows, keys, share.name)
}
