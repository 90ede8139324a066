// Joins over tasks. A side that is small, or that lies in one task, is broadcast to the tasks of the other side, if that side is the one
// whose unmatched rows the result has; else both sides are exchanged by the keys that have to be equal. DuckDB has cast both sides of a
// condition to one type, so that equal keys have one hash.

import type { PlanColumn } from './expression.ts'
import { distinctOf, isEqual, joinedRows } from './estimate.ts'
import { bytesOf, columnList, inputsOf, isLocal, type HashKey, type Rows, type Stages } from './fragment.ts'
import { orderedJoins } from './joinorder.ts'
import type { JoinCondition, JoinParts, JoinRelation, JoinType } from './relation.ts'
import { among, union, type Lower } from './shape.ts'
import { unsupported } from './unsupported.ts'

export function lowerJoin(relation: JoinRelation, needed: ReadonlySet<string>, lower: Lower, stages: Stages): Rows {
  const ordered = stages.isOn('join-order')
    ? orderedJoins(relation, needed, lower, (parts, left, right, names) => joined(parts, left, right, names, stages), stages)
    : undefined
  if (ordered) return ordered
  const all = union(needed, [...relation.conditions.flatMap(({ left, right }) => [left, right]), ...relation.rest])
  return joined(relation, lower(relation.left, all), lower(relation.right, all), needed, stages)
}

/** Sides that may be read as a whole by each task of the other side. */
const broadcastRight: ReadonlySet<JoinType> = new Set(['INNER', 'LEFT', 'SEMI', 'ANTI', 'MARK'])
const broadcastLeft: ReadonlySet<JoinType> = new Set(['INNER', 'RIGHT'])

function joined(parts: JoinParts, left: Rows, right: Rows, needed: ReadonlySet<string>, stages: Stages): Rows {
  const { type } = parts
  if (isLocal(left) && isLocal(right)) return both(stages, parts, left, right, needed)
  const limit = stages.options.broadcastBytes ?? 64 << 20
  const isOn = stages.isOn('broadcast-joins')
  const keys = keysOf(parts)
  const isSmall = (rows: Rows): boolean => isOn && bytesOf(rows) <= limit
  const small = {
    left: broadcastLeft.has(type) && (isLocal(left) || isSmall(left)),
    right: broadcastRight.has(type) && (isLocal(right) || isSmall(right)),
  }
  // The smaller side, where both may be broadcast.
  const right1 = small.right && !isLocal(left) && (!small.left || bytesOf(right) <= bytesOf(left))
  if (right1) return both(stages, parts, left, stages.shareable(right, 'broadcast'), needed)
  if (small.left && !isLocal(right)) return both(stages, parts, stages.shareable(left, 'broadcast'), right, needed)
  if (keys.length > 0) return shuffled(parts, keys, left, right, needed, stages)
  if (broadcastRight.has(type) && !isLocal(left) && (!broadcastLeft.has(type) || bytesOf(right) <= bytesOf(left)))
    return both(stages, parts, left, stages.shareable(right, 'broadcast'), needed)
  if (broadcastLeft.has(type) && !isLocal(right)) return both(stages, parts, stages.shareable(left, 'broadcast'), right, needed)
  const [a, b] = [stages.local(left, 'join'), stages.local(right, 'join')]
  stages.gather(`a join of the type ${type} without keys that have to be equal`)
  return both(stages, parts, a, b, needed)
}

/** Conditions whose sides decide the partition. Those of MARK join groups of rows; IN itself has to see all rows of its group. */
function keysOf({ type, conditions }: JoinParts): JoinCondition[] {
  const keys = conditions.filter(each => isEqual(each) && each.left.columns.size > 0 && each.right.columns.size > 0)
  for (const { left, right } of keys) if (left.type !== right.type) unsupported('a join of keys of two types')
  return type === 'MARK' ? keys.filter(({ comparison }) => comparison !== '=') : keys
}

function shuffled(
  parts: JoinParts,
  keys: readonly JoinCondition[],
  left: Rows,
  right: Rows,
  needed: ReadonlySet<string>,
  stages: Stages,
): Rows {
  // Rows that an earlier exchange has brought together by some of the keys stay where they are; the other side follows them.
  const kept = stages.isOn('reuse-partitions') ? (followed(keys, left, 'left') ?? followed(keys, right, 'right') ?? keys) : keys
  const side = (rows: Rows, which: 'left' | 'right'): Rows => {
    const hashed = kept.map(key => key[which])
    const isThere = stages.isOn('reuse-partitions') && rows.partitionings.some(list => sameKeys(list, hashed))
    return isThere ? rows : stages.exchange(rows, hashed, `join ${which}`)
  }
  return both(stages, parts, side(left, 'left'), side(right, 'right'), needed, kept)
}

const sameKeys = (a: readonly HashKey[], b: readonly HashKey[]): boolean =>
  a.length === b.length && a.every(({ sql, type }, i) => sql === b[i]!.sql && type === b[i]!.type)

/** The conditions in the order of keys by which the rows are partitioned already. */
function followed(conditions: readonly JoinCondition[], rows: Rows, which: 'left' | 'right'): JoinCondition[] | undefined {
  for (const list of rows.partitionings) {
    const found = list.map(key => conditions.find(condition => condition[which].sql === key.sql && condition[which].type === key.type))
    if (list.length > 0 && found.every(each => each !== undefined)) return found
  }
  return undefined
}

/** The join in the tasks that both sides have come to. Each branch of a broadcast join's larger side is joined by itself. */
function both(
  stages: Stages,
  parts: JoinParts,
  left: Rows,
  right: Rows,
  needed: ReadonlySet<string>,
  keys: readonly JoinCondition[] = [],
): Rows {
  const columns = [
    ...among(left.columns, needed),
    ...(parts.type === 'SEMI' || parts.type === 'ANTI' || parts.type === 'MARK' ? [] : among(right.columns, needed)),
    ...(parts.mark ? [parts.mark] : []),
  ]
  const [many, isLeft] = isLocal(left) ? [right, false] : [left, true]
  const branches = many.branches.map(branch => {
    const other = (isLeft ? right : left).branches[0]!
    const [a, b] = isLeft ? [branch, other] : [other, branch]
    return { sql: joinSql(parts, columns, a.sql, b.sql), inputs: inputsOf([a, b]), tasks: branch.tasks }
  })
  const names = new Set(columns.map(({ name }) => name))
  const isWhole = (list: readonly HashKey[]): boolean => list.every(({ columns: used }) => [...used].every(name => names.has(name)))
  // Rows that have no match have nulls in place of the other side's keys, wherever they are.
  const fromLeft =
    parts.type === 'RIGHT' || parts.type === 'FULL'
      ? []
      : [...(isLocal(left) ? [] : left.partitionings), ...(keys.length > 0 ? [keys.map(key => key.left)] : [])]
  const fromRight =
    parts.type === 'INNER' || parts.type === 'RIGHT'
      ? [...(isLocal(right) ? [] : right.partitionings), ...(keys.length > 0 ? [keys.map(key => key.right)] : [])]
      : []
  const base = Math.max(left.base, right.base)
  return { branches, columns, partitionings: [...fromLeft, ...fromRight].filter(isWhole), count: countOf(parts, left, right, stages), base }
}

function countOf({ type, conditions }: JoinParts, left: Rows, right: Rows, stages: Stages): number {
  const domains = conditions
    .filter(isEqual)
    .map(each => Math.min(distinctOf(each.left, left, stages), distinctOf(each.right, right, stages)))
  const inner = joinedRows(left.count, right.count, domains)
  switch (type) {
    case 'INNER':
      return inner
    case 'LEFT':
      return Math.max(left.count, inner)
    case 'RIGHT':
      return Math.max(right.count, inner)
    case 'FULL':
      return left.count + right.count
    case 'MARK':
      return left.count
    default:
      return left.count * 0.5
  }
}

const conditionSql = ({ conditions, rest }: Pick<JoinParts, 'conditions' | 'rest'>): string =>
  [...conditions.map(({ left, right, comparison }) => `(${left.sql} ${comparison} ${right.sql})`), ...rest.map(({ sql }) => sql)].join(
    ' AND ',
  )

function joinSql(parts: JoinParts, columns: readonly PlanColumn[], left: string, right: string): string {
  const on = conditionSql(parts)
  if (parts.type === 'MARK') return markSql(parts, columns, left, right)
  const word = { INNER: 'JOIN', LEFT: 'LEFT JOIN', RIGHT: 'RIGHT JOIN', FULL: 'FULL JOIN', SEMI: 'SEMI JOIN', ANTI: 'ANTI JOIN' }[
    parts.type
  ]
  const join =
    on === ''
      ? parts.type === 'INNER'
        ? `(${left}) AS l CROSS JOIN (${right}) AS r`
        : `(${left}) AS l ${word} (${right}) AS r ON true`
      : `(${left}) AS l ${word} (${right}) AS r ON ${on}`
  return `SELECT ${columnList(columns)} FROM ${join}`
}

/** IN and EXISTS as values: DuckDB's own forms, so that nulls mean the same. */
function markSql({ conditions, rest, mark }: JoinParts, columns: readonly PlanColumn[], left: string, right: string): string {
  const [one, ...others] = conditions.filter(({ comparison }) => comparison === '=')
  const groups = conditions.filter(({ comparison }) => comparison === 'IS NOT DISTINCT FROM')
  if (others.length > 0 || rest.length > 0 || groups.length + (one ? 1 : 0) !== conditions.length)
    return unsupported('a comparison with a subquery other than = and IN')
  const on = groups.length > 0 ? ` WHERE ${conditionSql({ conditions: groups, rest: [] })}` : ''
  const value = one
    ? `(${one.left.sql} IN (SELECT ${one.right.sql} FROM (${right}) AS r${on}))`
    : `EXISTS (SELECT 1 FROM (${right}) AS r${on})`
  const list = columns.map(column => (column === mark ? `${value} AS ${column.name}` : column.name))
  return `SELECT ${list.join(', ')} FROM (${left}) AS l`
}
