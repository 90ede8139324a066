// Rule that computes a shared branch once: two shuffles of the same values by the same function are one. Nodes that compute the same
// values have one number (content.ts). Steps of one value (map, filter) that two different shuffles read are still computed for each: to
// keep their values would cost a shuffle, and the cost of the steps is not known.

import type { PlanNode } from './node.ts'
import type { PlanFacts, Rule } from './rule.ts'

export const shareBranches: Rule = {
  name: 'share-branches',
  about: 'a shuffle of the same values by the same function is computed once',
  // Before shuffles of one kind become different ones.
  early: true,
  apply: (node: PlanNode, { first }: PlanFacts): PlanNode => first(node),
}
