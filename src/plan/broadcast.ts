// Joins by broadcast: every task of one side reads the whole other side as a table, and nothing is shuffled. A side can be broadcast if its
// values without a partner are no rows of their own: no task sees all values that may be their partners.

import { assert } from '../base/assert.ts'
import { GristmillError } from '../base/errors.ts'
import type { JoinKind, JoinNode, JoinSide, LookupNode, PlanNode } from './node.ts'

const sides: Readonly<Record<JoinKind, readonly JoinSide[]>> = {
  inner: ['right', 'left'], left: ['right'], semi: ['right'], anti: ['right'], right: ['left'], full: [], group: [],
}

/** Sides that may be broadcast. */
export const broadcastSides = (how: JoinKind): readonly JoinSide[] => sides[how]

/** The side that is broadcast if nothing is known about sizes. */
export const sideOf = (how: JoinKind): JoinSide | undefined => sides[how][0]

/** Throws PROGRAM_INVALID if the side cannot be broadcast. */
export function lookupOf(join: JoinNode & PlanNode, build: JoinSide): LookupNode & PlanNode {
  const { how } = join
  if (how === 'full' || how === 'group' || !sides[how].includes(build))
    throw new GristmillError('PROGRAM_INVALID', `the ${build} side of a ${how} join cannot be broadcast`)
  const [left, right] = join.inputs.map(sidePairs)
  const [table, values] = build === 'right' ? [right!, left!] : [left!, right!]
  const { number, place } = join as { readonly number?: number; readonly place?: number }
  const shuffle: PlanNode = Object.freeze({
    kind: 'shuffle', inputs: Object.freeze([table.pairs] as const), partitions: 1, exact: true, partition: undefined,
    ...table.number !== undefined && { number: table.number },
  })
  return Object.freeze({
    kind: 'lookup', inputs: Object.freeze([values.pairs.inputs[0], shuffle] as const), how, build, key: values.key,
    ...number !== undefined && { number }, ...place !== undefined && { place },
  })
}

/** Pairs of one side of a join, and their key function. */
function sidePairs(shuffle: PlanNode): { pairs: PlanNode & { inputs: readonly [PlanNode] }; key: number; number: number | undefined } {
  assert(shuffle.kind === 'shuffle', 'the sides of a join are shuffles')
  const [pairs] = shuffle.inputs
  assert(pairs.kind === 'key' && pairs.key !== undefined && pairs.value === undefined, 'the sides of a join are values by their keys')
  return { pairs, key: pairs.key, number: shuffle.number }
}
