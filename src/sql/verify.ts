// Confirmation of the texts that the planner has printed. All of them are bound again by DuckDB, over one empty table with all columns of
// the query, and the trees have to be those that the texts were made of: same functions, argument types, constants and bound data. A text
// that is not confirmed makes the query unsupported.

import type { AggregateCall } from './aggregate.ts'
import { keyOf, type PlanColumn, type Expression } from './expression.ts'
import { listOf, numberOf, readJson, textOf, type Json, type JsonObject } from './json.ts'
import { disabledExcept } from './optimizers.ts'
import type { SqlOracle } from './query.ts'
import { nameSql, textSql } from './quote.ts'
import type { Relation, Share } from './relation.ts'
import { unsupported } from './unsupported.ts'
import type { WindowCall } from './windowcall.ts'

interface Printed {
  readonly columns: Map<string, PlanColumn>
  readonly expressions: Map<string, Expression>
  readonly aggregates: Map<string, AggregateCall>
  readonly windows: Map<string, WindowCall>
}

const table = 'gristmill check'

export async function verify(relation: Relation, oracle: SqlOracle): Promise<void> {
  const printed: Printed = { columns: new Map(), expressions: new Map(), aggregates: new Map(), windows: new Map() }
  collect(relation, printed, new Set())
  const columns = [...printed.columns.values()]
  if (columns.length === 0) columns.push({ name: 'c0', type: 'INTEGER' })
  await oracle.rows(`CREATE OR REPLACE TABLE ${nameSql(table)} (${columns.map(definition).join(', ')})`)
  try {
    await disabledExcept(['expression_rewriter'], oracle)
    await confirm([...printed.expressions], 0, oracle)
    await confirm([...printed.aggregates], 1, oracle)
    await confirm([...printed.windows], 1, oracle)
  } finally {
    await oracle.rows(`DROP TABLE ${nameSql(table)}`)
  }
}

const definition = ({ name, type }: PlanColumn): string => `${name} ${type === '"NULL"' ? 'INTEGER' : type}`

type Text = readonly [key: string, printed: { readonly sql: string }]

/** `depth`: operators between the select list and the one that computes the texts, 0 for the list itself. */
async function confirm(texts: readonly Text[], depth: 0 | 1, oracle: SqlOracle): Promise<void> {
  const folded = await unconfirmed(texts, depth, true, oracle)
  // DuckDB rewrites some trees further each time it sees them. Those are compared before it does, with constants that are casts of texts.
  const other = await unconfirmed(folded, depth, false, oracle)
  if (other.length > 0) unsupported(`an expression that DuckDB does not read back as it was: ${other[0]![1].sql}`)
}

async function unconfirmed(texts: readonly Text[], depth: 0 | 1, isFolded: boolean, oracle: SqlOracle): Promise<readonly Text[]> {
  if (texts.length === 0) return []
  const sql = `SELECT ${texts.map(([, each]) => each.sql).join(', ')} FROM ${nameSql(table)}`
  const [[json]] = (await oracle.rows(`SELECT json_serialize_plan(${textSql(sql)}, optimize := ${isFolded})`)) as [[string]]
  const answer = readJson(json) as JsonObject
  if (answer.error !== false) return unsupported(`a part of the query that DuckDB does not read back: ${textOf(answer.error_message)}`)
  const top = listOf(answer.plans)[0] as JsonObject
  const list = listOf(top.expressions)
  const below = depth === 0 ? top : (listOf(top.children)[0] as JsonObject)
  const [scope, made] = scopeOf(below, depth)
  return texts.filter(([key], i) => {
    const node = depth === 0 ? list[i]! : made[numberOf((list[i] as JsonObject).index)]
    return node === undefined || keyOf(node, scope) !== key
  })
}

/** Columns of the scan below, and the expressions of an operator over it by the position of its output. */
function scopeOf(node: JsonObject, depth: 0 | 1): [PlanColumn[], (Json | undefined)[]] {
  let scan = node
  while (scan.type !== 'LOGICAL_GET') scan = listOf(scan.children)[0] as JsonObject
  const names = listOf(scan.names).map(textOf)
  const scope = listOf(scan.column_indexes).map(each => ({ name: names[Number((each as JsonObject).index)] ?? '', type: '' }))
  if (depth === 0) return [scope, []]
  const before = node.type === 'LOGICAL_WINDOW' ? scope.map(() => undefined) : []
  return [scope, [...before, ...listOf(node.expressions)]]
}

function collect(relation: Relation, into: Printed, seen: Set<Share>): void {
  const columns = relation.kind === 'scan' ? relation.read : relation.columns
  for (const column of columns) into.columns.set(column.name, column)
  const take = (...expressions: readonly Expression[]): void => {
    for (const each of expressions) if (each.key !== '' && !each.columns.has(each.sql)) into.expressions.set(each.key, each)
  }
  switch (relation.kind) {
    case 'scan':
      return take(...relation.conditions)
    case 'rows':
      return take(...relation.rows.flat())
    case 'filter':
      take(...relation.conditions)
      break
    case 'project':
    case 'unnest':
      take(...relation.items.map(({ expression }) => expression))
      break
    case 'order':
      take(...relation.orders.map(({ expression }) => expression))
      break
    case 'distinct':
      take(...(relation.on ?? []), ...relation.orders.map(({ expression }) => expression))
      break
    case 'window':
      for (const { call } of relation.calls) into.windows.set(call.key, call)
      break
    case 'aggregate': {
      take(
        ...relation.groups.map(({ expression }) => expression),
        ...relation.calls.flatMap(({ call }) => [...call.args, ...(call.filter ? [call.filter] : [])]),
      )
      for (const { call } of relation.calls) into.aggregates.set(call.key, call)
      break
    }
    case 'join': {
      take(...relation.conditions.flatMap(({ left, right }) => [left, right]), ...relation.rest)
      collect(relation.left, into, seen)
      return collect(relation.right, into, seen)
    }
    case 'set':
      return relation.inputs.forEach(input => collect(input, into, seen))
    case 'shared': {
      if (seen.has(relation.share)) return undefined
      seen.add(relation.share)
      return collect(relation.share.relation, into, seen)
    }
    case 'limit':
      break
  }
  collect(relation.input, into, seen)
}
