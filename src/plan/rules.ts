// Optimizer rules: make a plan cheaper without changing its result. A rule is a name and a function from a node to a better one. Rules are
// applied from the read node upwards, repeatedly until none changes the plan.

import { assert } from '../base/assert.ts'
import { nodesOf, withInputs, type Plan, type PlanNode, type WriteNode } from './node.ts'

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
      if (node.kind !== 'combine') return node
      const [shuffle] = node.inputs
      if (shuffle.kind !== 'shuffle') return node
      const [pairs, ...others] = shuffle.inputs
      return withInputs(shuffle, [withInputs(node, [pairs]), ...others])
    },
  },
  {
    // The second shuffle undoes the grouping and order of the first one.
    name: 'drop a shuffle that is shuffled again',
    apply(node) {
      if (node.kind !== 'shuffle') return node
      const [pairs, ...others] = node.inputs
      return pairs.kind === 'shuffle' ? withInputs(node, [pairs.inputs[0], ...others]) : node
    },
  },
]

/** A rule either shortens a plan or moves a node towards the read node, and none moves one back: far fewer rounds are ever needed. */
const roundsMax = 100

export function optimize(plan: Plan, applied: readonly Rule[] = rules): Plan {
  let { root } = plan
  for (let round = 0; ; round++) {
    assert(round < roundsMax, 'the rules of the optimizer undo each other')
    const better = improve(root, applied)
    if (better === root) return root === plan.root ? plan : Object.freeze({ ...plan, root })
    root = better
  }
}

/** Applies every rule once to every node. A node that several others read stays one node. */
function improve(root: WriteNode, applied: readonly Rule[]): WriteNode {
  const better = new Map<PlanNode, PlanNode>()
  for (const node of nodesOf(root)) {
    let result: PlanNode = withInputs(node, node.inputs.map(input => better.get(input)!))
    for (const rule of applied) result = rule.apply(result)
    better.set(node, result)
  }
  return better.get(root) as WriteNode
}
