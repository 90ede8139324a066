// Rules that reuse partitions and order which exist: values that a shuffle has brought together by a function are not shuffled again by the
// same function (the same object), and a sort by the same key is not done twice.

import { withInputs, type PlanNode, type ShuffleNode } from './node.ts'
import type { PlanFacts, Rule } from './rule.ts'

export const reusePartitions: Rule = {
  name: 'reuse-partitions',
  about: 'values that lie in partitions by this function already are not shuffled again',
  apply: (node, facts) => reuse(node, facts, (wanted, there) => hasSameNumber(wanted, there)),
}

/** Not for runs that set the number of partitions: they would get another one. */
export const adoptPartitions: Rule = {
  name: 'adopt-partitions',
  about: 'a step that leaves its number of partitions open takes that of the partitions that exist',
  apply: (node, facts) => reuse(node, facts, (wanted, there) => isOpen(wanted) && isExact(there)),
}

/** Values that `repartition` has spread are moved to the partition of their key all the same. */
export const dropRepartition: Rule = {
  name: 'drop-repartition',
  about: 'values are not spread before they are moved by key',
  apply(node: PlanNode, { isPlain, readers }: PlanFacts): PlanNode {
    if (node.kind !== 'key' || node.key === undefined || !isPlain(node.key) || !isPlain(node.value)) return node
    const [from] = node.inputs
    if (from.kind !== 'ungroup' || readers(from) !== 1) return node
    const [shuffle] = from.inputs
    if (shuffle.kind !== 'shuffle' || readers(shuffle) !== 1) return node
    const [pairs] = shuffle.inputs
    return pairs.kind === 'key' && pairs.key === undefined ? withInputs(node, [pairs.inputs[0]]) : node
  },
}

type Fits = (wanted: ShuffleNode, there: ShuffleNode) => boolean
type Reusable = ShuffleNode & PlanNode

const isExact = ({ exact }: ShuffleNode): boolean => exact === true
const isOpen = ({ exact, partitions }: ShuffleNode): boolean => !exact && partitions === undefined

/** Open numbers of a job are all one. */
const hasSameNumber = (a: ShuffleNode, b: ShuffleNode): boolean =>
  (isExact(a) && isExact(b) ? a.partitions === b.partitions : isOpen(a) && isOpen(b) && a.auto === b.auto)

function reuse(node: PlanNode, facts: PlanFacts, fits: Fits): PlanNode {
  switch (node.kind) {
    case 'fold': case 'group': case 'combine': case 'ungroup': {
      const [shuffle] = node.inputs
      if (shuffle.kind !== 'shuffle') return node
      const there = reusable(shuffle, facts)
      // In a sort equal keys are in one partition too, but other values than in partitions by hash.
      if (!there || !fits(shuffle, there) || (shuffle.ranges && node.kind !== 'ungroup')) return node
      return withInputs(node, [regrouped(shuffle, there)])
    }
    case 'join': return reuseInJoin(node, facts, fits)
    default: return node
  }
}

/** A node that gives the groups of `shuffle` from those of `there`. Steps behind it draw the random numbers that they would have drawn. */
function regrouped(shuffle: Reusable, there: PlanNode): PlanNode {
  const pairs = pairsOf(shuffle)
  const value = pairs.kind === 'key' ? pairs.value : undefined
  return Object.freeze({
    kind: 'regroup', inputs: Object.freeze([there] as const),
    ...shuffle.number !== undefined && { number: shuffle.number }, ...value !== undefined && { value },
  })
}

/** Below a combine, which the reader of the groups does again. */
function pairsOf({ inputs: [pairs] }: ShuffleNode): PlanNode {
  return pairs.kind === 'combine' ? pairs.inputs[0] : pairs
}

/** The shuffle that has brought the values of this one together already, by the same function. */
function reusable(shuffle: ShuffleNode, { isPlain, isSame }: PlanFacts): Reusable | undefined {
  const pairs = pairsOf(shuffle)
  if (shuffle.partition !== undefined || pairs.kind !== 'key' || pairs.key === undefined || !isPlain(pairs.key)) return undefined
  const [from] = pairs.inputs
  if (from.kind !== 'ungroup') return undefined
  const there = groupsBelow(from.inputs[0])
  if (there.kind !== 'shuffle' || there.partition !== undefined || there.ranges !== shuffle.ranges) return undefined
  const [before] = there.inputs
  const isBySame = before.kind === 'key' && before.key !== undefined && before.value === undefined && isSame(before.key, pairs.key)
  return isBySame ? there : undefined
}

function groupsBelow(node: PlanNode): PlanNode {
  let below = node
  while (below.kind === 'regroup' && below.value === undefined) below = below.inputs[0]
  return below
}

function reuseInJoin(node: PlanNode, facts: PlanFacts, fits: Fits): PlanNode {
  const [left, right] = node.inputs
  if (left?.kind !== 'shuffle' || right?.kind !== 'shuffle') return node
  const [fromLeft, fromRight] = [left, right].map(side => {
    const there = reusable(side, facts)
    return there && fits(side, there) ? there : undefined
  })
  const pairs: Array<[Reusable, Reusable] | undefined> = [
    fromLeft && fromRight && hasSameNumber(fromLeft, fromRight) ? [fromLeft, fromRight] : undefined,
    fromLeft && [fromLeft, numberedAs(right, fromLeft)],
    fromRight && [numberedAs(left, fromRight), fromRight],
  ]
  const sides = pairs.find(pair => pair !== undefined)
  return sides ? withInputs(node, sides) : node
}

/** The shuffle into as many partitions as another one has. */
function numberedAs(shuffle: Reusable, { partitions, exact, auto }: ShuffleNode): Reusable {
  if (hasSameNumber(shuffle, { ...shuffle, partitions, ...exact && { exact }, ...auto && { auto } })) return shuffle
  const { exact: _, auto: __, ...bare } = shuffle
  return Object.freeze({ ...bare, partitions, ...exact && { exact }, ...auto && { auto } })
}
