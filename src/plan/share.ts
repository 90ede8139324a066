// Rule that computes a shared branch once: two shuffles of the same values by the same function are one. Nodes that compute the same values
// have one number (dataflow.ts). Narrow steps before two different cuts are still computed for each: to keep their values would cost a
// shuffle, and what they cost themselves is not known.

import type { PlanNode } from './node.ts'
import type { PlanFacts, Rule } from './rule.ts'

export const shareBranches: Rule = {
  name: 'share-branches',
  about: 'a shuffle of the same values by the same function is computed once',
  // Before shuffles of one kind become different ones.
  early: true,
  apply: (node: PlanNode, { first }: PlanFacts): PlanNode => first(node),
}
