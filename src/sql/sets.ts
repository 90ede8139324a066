// Set operations over tasks: UNION ALL puts branches side by side, and each goes on in its own stage; INTERSECT and EXCEPT exchange the
// rows of both sides by all of their columns.

import { columnExpression, type PlanColumn } from './expression.ts'
import { columnList, inputsOf, isLocal, type Rows, type Stages } from './fragment.ts'
import type { Relation } from './relation.ts'
import { projected, type Lower } from './shape.ts'

export function lowerSet(relation: Relation & { readonly kind: 'set' }, lower: Lower, stages: Stages): Rows {
  const { type, all, inputs, columns } = relation
  const names = (input: Relation): Set<string> => new Set(input.columns.map(({ name }) => name))
  const sides = inputs.map(input => inOrder(input, columns, lower(input, names(input)), stages))
  if (sides.every(isLocal)) return combined(sides, columns, type === 'UNION' ? 'UNION ALL' : `${type}${all ? ' ALL' : ''}`, [])
  if (type === 'UNION') {
    const sum = (of: (rows: Rows) => number): number => sides.reduce((total, rows) => total + of(rows), 0)
    return {
      branches: sides.flatMap(({ branches }) => branches),
      columns,
      partitionings: [],
      count: sum(each => each.count),
      base: sum(each => each.base),
    }
  }
  const word = `${type}${all ? ' ALL' : ''}`
  const keys = columns.map(columnExpression)
  if (stages.isOn('set-partitions') && keys.length > 0)
    return combined(
      sides.map(rows => stages.exchange(rows, keys, type.toLowerCase())),
      columns,
      word,
      [keys],
    )
  const local = sides.map(rows => stages.local(rows, type.toLowerCase()))
  stages.gather(`${type} is not distributed`)
  return combined(local, columns, word, [])
}

/** The input's rows with the columns of the operation, by position. */
function inOrder(input: Relation, columns: readonly PlanColumn[], rows: Rows, stages: Stages): Rows {
  const items = input.columns.map((column, i) => ({ column: columns[i]!, expression: columnExpression(column) }))
  return projected(stages, rows, items)
}

function combined(sides: readonly Rows[], columns: readonly PlanColumn[], word: string, partitionings: Rows['partitionings']): Rows {
  const branches = sides.map(({ branches: [branch] }) => branch!)
  const sql = branches.map(branch => `SELECT ${columnList(columns)} FROM (${branch.sql}) AS t`).join(` ${word} `)
  const count = sides.reduce((sum, rows) => sum + rows.count, 0)
  return {
    branches: [{ sql, inputs: inputsOf(branches), tasks: branches[0]!.tasks }],
    columns,
    partitionings,
    count,
    base: count,
  }
}
