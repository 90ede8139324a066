// Rules that make a plan cheaper and leave its result as it is. Each is a name and a function from one node to a better one;
// they are applied from the reading upwards, again and again until none finds anything.

import { assert } from '../base/assert.ts'
import { sourceOf, withSource, type Plan, type PlanNode, type ReadNode, type WriteNode } from './node.ts'

export interface Rule {
  readonly name: string
  /** A better node in place of this one, or the node itself. */
  apply(node: PlanNode): PlanNode
}

export const rules: readonly Rule[] = [
  {
    // One value a key travels instead of many. The reduce sees a value of each map task, as it must be ready to anyway.
    name: 'combine before shuffle',
    apply(node) {
      if (node.kind !== 'combine' || node.source.kind !== 'shuffle') return node
      const shuffle = node.source
      return withSource(shuffle, withSource(node, shuffle.source))
    },
  },
  {
    // What the first one brought together and sorted, the second one scatters again.
    name: 'drop a shuffle that is shuffled again',
    apply(node) {
      if (node.kind !== 'shuffle' || node.source.kind !== 'shuffle') return node
      return withSource(node, node.source.source)
    },
  },
]

/** A rule either shortens a plan or moves a node down it for good: far fewer rounds than this are ever needed. */
const roundsMax = 100

export function optimize(plan: Plan, applied: readonly Rule[] = rules): Plan {
  let { root } = plan
  for (let round = 0; ; round++) {
    assert(round < roundsMax, 'the rules of the optimizer undo each other')
    const better = improve(root, applied) as WriteNode
    if (better === root) return root === plan.root ? plan : Object.freeze({ ...plan, root })
    root = better
  }
}

function improve(node: PlanNode, applied: readonly Rule[]): PlanNode {
  const source = sourceOf(node)
  let result = source ? withSource(node as Exclude<PlanNode, ReadNode>, improve(source, applied)) : node
  for (const rule of applied) result = rule.apply(result)
  return result
}
