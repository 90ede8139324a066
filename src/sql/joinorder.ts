// Order of inner joins: a chain of inner joins is taken apart into its inputs and conditions, and joined again from the largest input on,
// each time with the smallest input that a condition connects. So a large side stays where it is while small ones come to it.

import type { PlanColumn, Expression } from './expression.ts'
import type { Rows } from './fragment.ts'
import type { JoinCondition, JoinParts, JoinRelation, Relation } from './relation.ts'
import { union, type Lower } from './shape.ts'

type JoinStep = (parts: JoinParts, left: Rows, right: Rows, needed: ReadonlySet<string>) => Rows

interface Chain {
  readonly inputs: Relation[]
  readonly conditions: JoinCondition[]
  readonly rest: Expression[]
}

/** The chain's rows, or undefined if it has two inputs only: those have one order. */
export function orderedJoins(relation: JoinRelation, needed: ReadonlySet<string>, lower: Lower, join: JoinStep): Rows | undefined {
  const chain: Chain = { inputs: [], conditions: [], rest: [] }
  collect(relation, chain)
  if (chain.inputs.length < 3) return undefined
  const all = union(needed, [...chain.conditions.flatMap(({ left, right }) => [left, right]), ...chain.rest])
  const waiting = chain.inputs.map(input => lower(input, all))
  let { conditions, rest } = chain
  const first = waiting.reduce((a, b) => (b.count > a.count ? b : a))
  waiting.splice(waiting.indexOf(first), 1)
  let rows = first
  while (waiting.length > 0) {
    const connected = waiting.filter(each => conditions.some(condition => oriented(condition, rows.columns, each.columns) !== undefined))
    const next = (connected.length > 0 ? connected : waiting).reduce((a, b) => (b.count < a.count ? b : a))
    waiting.splice(waiting.indexOf(next), 1)
    const own = conditions.flatMap(condition => oriented(condition, rows.columns, next.columns) ?? [])
    const names = namesOf([...rows.columns, ...next.columns])
    const ready = rest.filter(({ columns }) => within(columns, names))
    const left: JoinCondition[] = conditions.filter(condition => oriented(condition, rows.columns, next.columns) === undefined)
    // Conditions with both sides in what is joined now have lost their chance to be keys.
    const late = left.filter(condition => within(condition.left.columns, names) && within(condition.right.columns, names))
    conditions = left.filter(condition => !late.includes(condition))
    rest = rest.filter(each => !ready.includes(each))
    const still = waiting.length === 0 ? needed : union(needed, [...conditions.flatMap(each => [each.left, each.right]), ...rest])
    rows = join({ type: 'INNER', conditions: own, rest: [...ready, ...late.map(comparisonOf)] }, rows, next, still)
  }
  return rows
}

function collect(relation: Relation, chain: Chain): void {
  if (relation.kind === 'join' && relation.type === 'INNER') {
    chain.conditions.push(...relation.conditions)
    chain.rest.push(...relation.rest)
    collect(relation.left, chain)
    collect(relation.right, chain)
  } else if (relation.kind === 'filter' && relation.input.kind === 'join' && relation.input.type === 'INNER') {
    chain.rest.push(...relation.conditions)
    collect(relation.input, chain)
  } else {
    chain.inputs.push(relation)
  }
}

const namesOf = (columns: readonly PlanColumn[]): Set<string> => new Set(columns.map(({ name }) => name))
const within = (names: ReadonlySet<string>, all: ReadonlySet<string>): boolean => [...names].every(name => all.has(name))

const mirrored: Readonly<Record<string, string>> = { '<': '>', '>': '<', '<=': '>=', '>=': '<=' }

/** The condition with `left` over the first columns and `right` over the second ones. */
function oriented(condition: JoinCondition, left: readonly PlanColumn[], right: readonly PlanColumn[]): JoinCondition | undefined {
  const [a, b] = [namesOf(left), namesOf(right)]
  if (within(condition.left.columns, a) && within(condition.right.columns, b)) return condition
  if (!within(condition.left.columns, b) || !within(condition.right.columns, a)) return undefined
  return { left: condition.right, right: condition.left, comparison: mirrored[condition.comparison] ?? condition.comparison }
}

const comparisonOf = ({ left, right, comparison }: JoinCondition): Expression => ({
  sql: `(${left.sql} ${comparison} ${right.sql})`,
  type: 'BOOLEAN',
  columns: new Set([...left.columns, ...right.columns]),
  key: '',
})
