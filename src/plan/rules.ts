// Optimizer rules: make a plan cheaper without changing its result. A rule is a name and a function from a node to a better one. Rules are
// applied from the read node upwards, repeatedly until none changes the plan.

import { assert } from '../base/assert.ts'
import { sourceOf, withSource, type Plan, type PlanNode, type ReadNode, type WriteNode } from './node.ts'

interface Rule {
  readonly name: string
  /** A better node in place of this one, or the node itself. */
  apply(node: PlanNode): PlanNode
}

export const rules: readonly Rule[] = [
  {
    // Each map task sends one value per key instead of many. The reduce of a program with combine accepts combined values anyway.
    name: 'combine before shuffle',
    apply(node) {
      if (node.kind !== 'combine' || node.source.kind !== 'shuffle') return node
      const shuffle = node.source
      return withSource(shuffle, withSource(node, shuffle.source))
    },
  },
  {
    // The second shuffle undoes the grouping and order of the first one.
    name: 'drop a shuffle that is shuffled again',
    apply(node) {
      if (node.kind !== 'shuffle' || node.source.kind !== 'shuffle') return node
      return withSource(node, node.source.source)
    },
  },
]

/** A rule either shortens a plan or moves a node towards the read node, and none moves one back: far fewer rounds are ever needed. */
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
