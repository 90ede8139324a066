// Steps that several operators share while stages are made: which columns are needed, columns under other names, and rows with equal keys
// in one task.

import { selectItem, type PlanColumn } from './expression.ts'
import type { HashKey, Rows, Stages } from './fragment.ts'
import type { Item, Relation } from './relation.ts'

/** Makes rows of the relation; the columns that are needed, and perhaps others, are in them. */
export type Lower = (relation: Relation, needed: ReadonlySet<string>) => Rows

export const among = (columns: readonly PlanColumn[], names: ReadonlySet<string>): PlanColumn[] =>
  columns.filter(({ name }) => names.has(name))

export const union = (needed: ReadonlySet<string>, more: readonly { readonly columns: ReadonlySet<string> }[]): Set<string> =>
  new Set([...needed, ...more.flatMap(({ columns }) => [...columns])])

/** The items in the tasks of the rows; partitionings by columns that are passed on stay, under their new names. */
export function projected(stages: Stages, rows: Rows, items: readonly Item[]): Rows {
  const columns = items.map(({ column }) => column)
  const renamed = new Map(
    items.flatMap(({ column, expression }) => {
      const [only] = expression.columns
      return expression.sql === only ? [[only, column.name] as const] : []
    }),
  )
  for (const [from, to] of renamed) if (stages.distinct.has(from)) stages.distinct.set(to, stages.distinct.get(from)!)
  const partitionings = rows.partitionings.flatMap(keys => {
    const moved = keys.map(key => renameKey(key, renamed))
    return moved.every(key => key !== undefined) ? [moved] : []
  })
  const list = items.length === 0 ? '0 AS c0' : items.map(({ column, expression }) => selectItem(expression, column.name)).join(', ')
  const made = stages.narrow(rows, columns, input => `SELECT ${list} FROM ${input}`, { partitionings })
  const isBare = rows.branches.every(({ bare }) => bare) && items.every(({ expression }) => expression.columns.has(expression.sql))
  return isBare ? { ...made, branches: made.branches.map(branch => ({ ...branch, bare: true as const })) } : made
}

function renameKey(key: HashKey, names: ReadonlyMap<string, string>): HashKey | undefined {
  const [column] = key.columns
  // A column or a cast of it: other texts may have the column's name in a literal.
  const isPlain = key.columns.size === 1 && /^(?:c\d+|CAST\(c\d+ AS [^']*\))$/.test(key.sql)
  const name = isPlain ? names.get(column!) : undefined
  return name === undefined
    ? undefined
    : { sql: key.sql.replace(new RegExp(`\\b${column}\\b`), name), columns: new Set([name]), type: key.type }
}

/** The rows so that those with equal keys are in one task. */
export const meeting = (stages: Stages, rows: Rows, keys: readonly HashKey[], name: string): Rows =>
  isMet(stages, rows, keys) ? rows : stages.exchange(rows, keys, name)

/** Rows that an earlier exchange has brought together by some of the keys, or by values that depend on them alone. */
export function isMet(stages: Stages, rows: Rows, keys: readonly HashKey[]): boolean {
  const texts = new Set(keys.map(({ sql }) => sql))
  const names = new Set(keys.flatMap(({ sql, columns }) => (columns.has(sql) ? [sql] : [])))
  return (
    stages.isOn('reuse-partitions') &&
    rows.partitionings.some(
      list => list.length > 0 && list.every(({ sql, columns }) => texts.has(sql) || [...columns].every(column => names.has(column))),
    )
  )
}
