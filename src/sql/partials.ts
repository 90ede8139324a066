// SQL of the two phases of an aggregation. A task groups its rows by the groups, and by the argument of DISTINCT aggregates, which drops
// what it has twice; the second phase groups all partials by the groups. With grouping sets the partials also have `gid`, the bits of the
// groups that their set does not have, because a null of the data is no null of a set.

import { groupedSql, groupingSql } from './aggregate.ts'
import { columnList, type Rows, type Stages } from './fragment.ts'
import type { PlanColumn, Expression } from './expression.ts'
import type { AggregateRelation } from './relation.ts'
import type { TwoPhase } from './twophase.ts'

type Phases = ReadonlyMap<string, TwoPhase | undefined>

const isPlain = ({ groups, sets }: AggregateRelation): boolean => sets.length === 1 && sets[0]!.length === groups.length
const partialName = (column: PlanColumn, i: number): string => `${column.name}p${i}`
const argName = (i: number): string => `d${i}`

export function partialRows(stages: Stages, rows: Rows, aggregate: AggregateRelation, rules: Phases, args: readonly Expression[]): Rows {
  const { groups, groupings, calls, sets } = aggregate
  const names = groups.map(({ column }) => column.name)
  const partials = calls.flatMap(
    ({ column }) =>
      rules.get(column.name)?.partials.map(({ sql, type }, i) => ({ sql, column: { name: partialName(column, i), type } })) ?? [],
  )
  const sources = args.map(({ sql, type }, i) => ({ sql, column: { name: argName(i), type } }))
  const bits = isPlain(aggregate)
    ? []
    : [
        {
          sql: groupingSql(
            names,
            names.map((_, i) => i),
          ),
          column: { name: 'gid', type: 'BIGINT' },
        },
        ...groupings.map(({ column, groups: indexes }) => ({ sql: groupingSql(names, indexes), column })),
      ]
  const made = [...bits, ...sources, ...partials]
  const columns = [...groups.map(({ column }) => column), ...made.map(({ column }) => column)]
  const list = [...names, ...made.map(({ sql, column }) => `${sql} AS ${column.name}`)].join(', ') || '0 AS c0'
  const by = isPlain(aggregate)
    ? [...names, ...args.map(({ sql }) => sql)]
    : [`GROUPING SETS (${sets.map(set => `(${set.map(i => names[i]).join(', ')})`).join(', ')})`]
  const count = groups.length === 0 && args.length === 0 ? rows.branches.length : Math.max(1, rows.count ** 0.8)
  return stages.narrow(rows, columns, input => `SELECT ${list} FROM ${input}${by.length > 0 ? ` GROUP BY ${by.join(', ')}` : ''}`, {
    count,
  })
}

export function mergeSql(aggregate: AggregateRelation, rules: Phases, args: readonly Expression[], input: string): string {
  const { groups, groupings, calls } = aggregate
  const names = groups.map(({ column }) => column.name)
  const extra = isPlain(aggregate) ? [] : ['gid', ...groupings.map(({ column }) => column.name)]
  const by = [...names, ...extra]
  const over = by.length > 0 ? `(PARTITION BY ${by.join(', ')})` : '()'
  const centers: string[] = []
  const given = `DISTINCT ${args.map(({ sql }) => sql).join(', ')}`
  const distinct = `DISTINCT ${args.map((_, i) => argName(i)).join(', ')}`
  const items = calls.map(({ column, call }) => {
    const rule = rules.get(column.name)
    if (!rule) return `${call.sql.replace(given, distinct)} AS ${column.name}`
    const own = rule.partials.map((_, i) => partialName(column, i))
    const made = (rule.centers?.(own, over) ?? []).map((sql, i) => ({ sql, name: `${column.name}m${i}` }))
    centers.push(...made.map(({ sql, name }) => `${sql} AS ${name}`))
    return `${rule.merge(
      own,
      made.map(({ name }) => name),
    )} AS ${column.name}`
  })
  const from = centers.length > 0 ? `(SELECT *, ${centers.join(', ')} FROM ${input}) AS m` : input
  const whole = wholeGroup(aggregate, rules)
  const list = [...names, ...items, ...groupings.map(({ column }) => column.name)]
  const sql = (source: string): string => groupedSql(list, source, by.join(', '))
  if (!whole) return sql(from)
  // The row of the empty grouping set, for the case that there is no partial of it.
  const shown = columnList(aggregate.columns)
  return (
    `WITH merged AS MATERIALIZED (${sql(from)}) SELECT ${shown} FROM merged UNION ALL ` +
    `SELECT ${shown} FROM (${whole}) AS w WHERE NOT EXISTS (SELECT 1 FROM ${input} WHERE gid = ${2 ** names.length - 1})`
  )
}

/** The merge of no partials, with nulls for the groups; undefined without an empty grouping set. */
function wholeGroup(aggregate: AggregateRelation, rules: Phases): string | undefined {
  const { groups, groupings, calls, sets } = aggregate
  if (isPlain(aggregate) || !sets.some(set => set.length === 0)) return undefined
  const none = calls.flatMap(({ column }) => [
    ...rules.get(column.name)!.partials.map(({ type }, i) => `CAST(NULL AS ${type}) AS ${partialName(column, i)}`),
    // Means that are merged around: there are none.
    ...(rules.get(column.name)!.centers?.([], '') ?? []).map((_, i) => `CAST(NULL AS DOUBLE) AS ${column.name}m${i}`),
  ])
  const merged = calls.map(({ column }) => {
    const rule = rules.get(column.name)!
    const made = (rule.centers?.([], '') ?? []).map((_, i) => `${column.name}m${i}`)
    return `${rule.merge(
      rule.partials.map((_, i) => partialName(column, i)),
      made,
    )} AS ${column.name}`
  })
  const list = [
    ...groups.map(({ column }) => `CAST(NULL AS ${column.type}) AS ${column.name}`),
    ...merged,
    ...groupings.map(({ column, groups: indexes }) => `CAST(${2 ** indexes.length - 1} AS BIGINT) AS ${column.name}`),
  ]
  const nothing = `(SELECT ${[...none, '0 AS c0'].join(', ')} WHERE false) AS n`
  return `SELECT ${list.join(', ')} FROM ${nothing}${calls.length > 0 ? '' : ' GROUP BY ()'}`
}
