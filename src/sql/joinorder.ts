// Order of inner joins: a chain of inner joins is taken apart into its inputs and conditions, and joined again from the largest input on,
// each time with the input that gives the fewest rows among those that a condition connects. So a large side stays where it is while small
// ones come to it. Inputs that no condition connects with the others are joined among themselves first.

import { distinctOf, isEqual, joinedRows, KeyDomains } from './estimate.ts'
import type { PlanColumn, Expression } from './expression.ts'
import type { Rows, Stages } from './fragment.ts'
import type { JoinCondition, JoinParts, JoinRelation, Relation } from './relation.ts'
import { union, type Lower } from './shape.ts'

type JoinStep = (parts: JoinParts, left: Rows, right: Rows, needed: ReadonlySet<string>) => Rows

interface Chain {
  readonly inputs: Relation[]
  readonly conditions: JoinCondition[]
  readonly rest: Expression[]
}

/** The chain's rows, or undefined if it has two inputs only: those have one order. */
export function orderedJoins(
  relation: JoinRelation,
  needed: ReadonlySet<string>,
  lower: Lower,
  join: JoinStep,
  stages: Stages,
): Rows | undefined {
  const chain: Chain = { inputs: [], conditions: [], rest: [] }
  collect(relation, chain)
  if (chain.inputs.length < 3) return undefined
  const all = union(needed, [...chain.conditions.flatMap(({ left, right }) => [left, right]), ...chain.rest])
  const inputs = chain.inputs.map(input => lower(input, all))
  const joining: Joining = { ...chain, domains: domainsOf(inputs, chain.conditions, stages), needed, join }
  const parts = connectedParts(inputs, chain.conditions).map(part => joinAll(part, joining, false))
  return joinAll(parts, joining, true)
}

/** Conditions that wait for their columns are taken out as they are used. */
interface Joining extends Omit<Chain, 'inputs'> {
  readonly domains: KeyDomains
  readonly needed: ReadonlySet<string>
  readonly join: JoinStep
}

function joinAll(inputs: readonly Rows[], joining: Joining, isLast: boolean): Rows {
  const waiting = [...inputs]
  let rows = waiting.reduce((a, b) => (b.count > a.count ? b : a))
  waiting.splice(waiting.indexOf(rows), 1)
  while (waiting.length > 0) {
    const steps = waiting.map(next => stepOf(rows, next, joining))
    const connected = steps.filter(({ own }) => own.length > 0)
    const best = (connected.length > 0 ? connected : steps).reduce((a, b) => (isBetter(b, a) ? b : a))
    waiting.splice(waiting.indexOf(best.next), 1)
    rows = joinStep(rows, best, joining, isLast && waiting.length === 0)
  }
  return rows
}

interface Step {
  readonly next: Rows
  readonly own: readonly JoinCondition[]
  readonly count: number
}

function stepOf(rows: Rows, next: Rows, { conditions, domains }: Joining): Step {
  const found = conditions.flatMap(condition => {
    const own = oriented(condition, rows.columns, next.columns)
    return own === undefined ? [] : [{ own, domain: isEqual(condition) ? domains.sizeOf(condition) : 3 }]
  })
  const count = joinedRows(rows.count, next.count, found.map(({ domain }) => domain))
  return { next, own: found.map(({ own }) => own), count }
}

const isBetter = (a: Step, b: Step): boolean => (a.count === b.count ? a.next.count < b.next.count : a.count < b.count)

function joinStep(rows: Rows, { next, own, count }: Step, joining: Joining, isLast: boolean): Rows {
  const { conditions, rest, needed, join } = joining
  const names = namesOf([...rows.columns, ...next.columns])
  const ready = take(rest, ({ columns }) => within(columns, names))
  take(conditions, condition => oriented(condition, rows.columns, next.columns) !== undefined)
  // Conditions with both sides in what is joined now have lost their chance to be keys.
  const late = take(conditions, ({ left, right }) => within(left.columns, names) && within(right.columns, names))
  const still = isLast ? needed : union(needed, [...conditions.flatMap(each => [each.left, each.right]), ...rest])
  const made = join({ type: 'INNER', conditions: own, rest: [...ready, ...late.map(comparisonOf)] }, rows, next, still)
  return { ...made, count: count * 0.3 ** (ready.length + late.length) }
}

/** Those of the list that hold, which are taken out of it. */
function take<T>(list: T[], isTaken: (each: T) => boolean): T[] {
  const taken = list.filter(isTaken)
  list.splice(0, list.length, ...list.filter(each => !taken.includes(each)))
  return taken
}

function domainsOf(inputs: readonly Rows[], conditions: readonly JoinCondition[], stages: Stages): KeyDomains {
  const domains = new KeyDomains()
  const sizeOf = (side: Expression): number => {
    const own = inputs.find(({ columns }) => within(side.columns, namesOf(columns)))
    return own ? distinctOf(side, own, stages) : Infinity
  }
  for (const each of conditions)
    if (isEqual(each)) domains.add(each.left, each.right, { left: sizeOf(each.left), right: sizeOf(each.right) })
  return domains
}

/** The inputs in parts that no condition connects. */
function connectedParts(inputs: readonly Rows[], conditions: readonly JoinCondition[]): Rows[][] {
  let parts = inputs.map(input => [input])
  for (const { left, right } of conditions) {
    const used = union(left.columns, [right])
    const isUsed = (part: readonly Rows[]): boolean => part.some(({ columns }) => columns.some(({ name }) => used.has(name)))
    const touched = parts.filter(isUsed)
    if (touched.length > 1) parts = [...parts.filter(part => !touched.includes(part)), touched.flat()]
  }
  return parts
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
