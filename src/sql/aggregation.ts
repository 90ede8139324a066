// Aggregations and DISTINCT over tasks. In this order: where the rows of each group are together already, in one step; partials in each
// task that are merged behind an exchange by the groups; else the rows themselves are exchanged by the groups.

import { groupedSql, groupingSql, type AggregateCall } from './aggregate.ts'
import { columnExpression, orderSql, type PlanColumn, type Expression } from './expression.ts'
import { isLocal, columnList, type Rows, type Stages } from './fragment.ts'
import { mergeSql, partialRows } from './partials.ts'
import type { AggregateRelation, Item, Relation } from './relation.ts'
import { among, isMet, meeting, projected, union, type Lower } from './shape.ts'
import { twoPhase, type TwoPhase } from './twophase.ts'

export function lowerAggregate(relation: AggregateRelation, needed: ReadonlySet<string>, lower: Lower, stages: Stages): Rows {
  const calls = relation.calls.filter(({ column }) => needed.has(column.name))
  const aggregate: AggregateRelation = {
    ...relation,
    calls,
    columns: relation.columns.filter(column => !relation.calls.some(call => call.column === column && !calls.includes(call))),
  }
  const isPlain = relation.sets.length === 1 && relation.sets[0]!.length === relation.groups.length && relation.groupings.length === 0
  const apart = isPlain ? distinctApart(aggregate) : undefined
  if (apart) return lower(apart, needed)
  const used = [...aggregate.groups.map(({ expression }) => expression), ...calls.map(({ call }) => call)]
  const rows = withGroups(stages, lower(relation.input, union(new Set(), used)), aggregate)
  const count = relation.groups.length === 0 ? 1 : Math.min(rows.count, Math.max(10, rows.count ** 0.8))
  const direct = (from: Rows): Rows => ({
    ...stages.narrow(from, aggregate.columns, input => directSql(aggregate, input), { count }),
    base: count,
  })
  if (isLocal(rows)) return direct(rows)
  const keys = aggregate.groups.map(({ column }) => columnExpression(column))
  if (isPlain && keys.length > 0 && isMet(stages, rows, keys)) return direct(rows)
  return distributed({ aggregate, rows, isPlain, keys, stages, direct })
}

interface Distributed {
  readonly aggregate: AggregateRelation
  readonly rows: Rows
  readonly isPlain: boolean
  readonly keys: readonly Expression[]
  readonly stages: Stages
  readonly direct: (rows: Rows) => Rows
}

function distributed({ aggregate, rows, isPlain, keys, stages, direct }: Distributed): Rows {
  const { calls, sets } = aggregate
  const distinct = calls.filter(({ call }) => call.distinct)
  const args = distinct[0]?.call.args ?? []
  const isOne = distinct.every(
    ({ call }) => !call.filter && call.orders.length === 0 && sameArgs(call.args, args) && args.every(({ columns }) => columns.size > 0),
  )
  const rules = new Map(calls.map(({ column, call }) => [column.name, call.distinct ? undefined : twoPhase(call)]))
  const hasRules = calls.every(({ column, call }) => call.distinct || rules.get(column.name) !== undefined)
  const isUnique = new Set(sets.map(set => set.join())).size === sets.length
  if (stages.isOn('partial-aggregation') && hasRules && isOne && isUnique && (isPlain || distinct.length === 0)) {
    const partial = partialRows(stages, rows, aggregate, rules as ReadonlyMap<string, TwoPhase | undefined>, args)
    // The group of all rows exists without any row: one task alone can add it.
    const isWhole = keys.length === 0 || sets.some(set => set.length === 0)
    const gid = partial.columns.filter(({ name }) => name === 'gid')
    const met = isWhole ? stages.single(partial, 'merge') : stages.exchange(partial, [...keys, ...gid.map(columnExpression)], 'groups')
    const merged = { count: met.count, base: met.count }
    return stages.narrow(met, aggregate.columns, input => mergeSql(aggregate, rules, args, input), merged)
  }
  if (isPlain && keys.length > 0) return direct(stages.exchange(rows, keys, 'groups'))
  const local = stages.local(rows, 'aggregate')
  const other = calls.find(({ call }) => call.distinct || !twoPhase(call))
  stages.gather(other ? `${other.call.distinct ? 'DISTINCT in ' : ''}${other.call.name} over all rows` : 'grouping sets that occur twice')
  return direct(local)
}

const sameArgs = (a: readonly Expression[], b: readonly Expression[]): boolean =>
  a.length === b.length && a.every(({ key }, i) => key === b[i]!.key)

/** Group expressions as columns, so that a constant among them is no position, and a name stands for each. */
function withGroups(stages: Stages, rows: Rows, { groups, calls }: AggregateRelation): Rows {
  const used = union(
    new Set(),
    calls.map(({ call }) => call),
  )
  const kept: Item[] = among(rows.columns, used).map(column => ({ column, expression: columnExpression(column) }))
  return projected(stages, rows, [...kept, ...groups])
}

function directSql({ groups, sets, groupings, calls }: AggregateRelation, input: string): string {
  const names = groups.map(({ column }) => column.name)
  const list = [
    ...names,
    ...calls.map(({ call, column }) => `${call.sql} AS ${column.name}`),
    ...groupings.map(({ column, groups: indexes }) => `${groupingSql(names, indexes)} AS ${column.name}`),
  ]
  const isPlain = sets.length === 1 && sets[0]!.length === groups.length
  const by = isPlain ? names.join(', ') : `GROUPING SETS (${sets.map(set => `(${set.map(i => names[i]).join(', ')})`).join(', ')})`
  return groupedSql(list, input, groups.length > 0 ? by : '')
}

/**
 * DISTINCT aggregates of one argument list over all rows: aggregates over the distinct rows of these arguments, which find each other by an
 * exchange.
 */
function distinctApart({ groups, calls, input, columns, sets, groupings }: AggregateRelation): Relation | undefined {
  const [first] = calls
  if (groups.length > 0 || !first || first.call.args.length === 0) return undefined
  if (!calls.every(({ call }) => call.distinct && !call.filter && call.orders.length === 0 && sameArgs(call.args, first.call.args)))
    return undefined
  const items = first.call.args.map((expression, i) => ({
    expression,
    column: { name: `${first.column.name}a${i}`, type: expression.type },
  }))
  const values: Relation = { kind: 'project', input, items, columns: items.map(({ column }) => column) }
  const args = items.map(({ column }) => columnExpression(column))
  const plain = calls.map(({ column, call }) => ({ column, call: undistinct(call, args) }))
  return {
    kind: 'aggregate',
    groups,
    sets,
    groupings,
    calls: plain,
    columns,
    input: { kind: 'distinct', input: values, columns: values.columns, orders: [] },
  }
}

const undistinct = (call: AggregateCall, args: readonly Expression[]): AggregateCall => ({
  ...call,
  args,
  distinct: false,
  columns: new Set(args.map(({ sql }) => sql)),
  key: '',
  // The separator and other bound arguments follow those of the tree.
  sql: call.sql.replace(`DISTINCT ${call.args.map(({ sql }) => sql).join(', ')}`, args.map(({ sql }) => sql).join(', ')),
})

export function lowerDistinct(relation: Relation & { readonly kind: 'distinct' }, lower: Lower, stages: Stages): Rows {
  const { input, on, orders } = relation
  const shown = relation.columns.filter(({ hidden }) => !hidden)
  const all = new Set(shown.map(({ name }) => name))
  const rows = lower(input, union(all, [...(on ?? []), ...orders.map(({ expression }) => expression)]))
  const keys = on ?? shown.map(columnExpression)
  const what = on ? `DISTINCT ON (${on.map(({ sql }) => sql).join(', ')})` : 'DISTINCT'
  const order = orders.length > 0 ? ` ORDER BY ${orderSql(orders)}` : ''
  const apply = (from: Rows, columns: readonly PlanColumn[] = from.columns): Rows =>
    stages.narrow(from, columns, sql => `SELECT ${what} ${columnList(columns)} FROM ${sql}${order}`, {
      count: Math.min(from.count, from.count ** 0.9),
    })
  if (isLocal(rows)) return apply(rows)
  if (keys.length === 0 || keys.some(({ columns }) => columns.size === 0)) return apply(stages.local(rows, 'distinct'))
  const met = meeting(stages, on || !stages.isOn('partial-distinct') ? rows : apply(rows), keys, 'distinct')
  return apply(met)
}
