// Rule that pushes filters towards the source: a filter of what a sort or a partitioning gives is applied before the shuffle, so that fewer
// values are moved. These pass all values on unchanged, so the filter sees the same ones. A semi or anti join does not: it may leave out
// values for which the filter throws. The filter is not pushed before `repartition`, which a program uses to spread the work of such
// functions.

import { withInputs, type PlanNode } from './node.ts'
import type { PlanFacts, Rule } from './rule.ts'

export const filterBeforeShuffle: Rule = {
  name: 'filter-before-shuffle',
  about: 'a filter of moved values is applied before they are moved',
  apply(node: PlanNode, facts: PlanFacts): PlanNode {
    if (node.kind !== 'each' || node.op !== 'filter' || !facts.isPlain(node.fn)) return node
    const [from] = node.inputs
    if (facts.readers(from) !== 1) return node
    if (from.kind !== 'ungroup') return node
    const shuffle = filtered(from.inputs[0], node, facts)
    return shuffle ? withInputs(from, [shuffle]) : node
  },
}

/** The shuffle of the values that pass the filter. Bounds of a sort stay those of all values, and so do its partitions. */
function filtered(shuffle: PlanNode, filter: PlanNode, facts: PlanFacts): PlanNode | undefined {
  if (shuffle.kind !== 'shuffle' || shuffle.partition !== undefined || facts.readers(shuffle) !== 1) return undefined
  const [pairs, ...samples] = shuffle.inputs
  if (pairs.kind !== 'key' || pairs.key === undefined || pairs.value !== undefined || facts.readers(pairs) !== 1) return undefined
  // A key function that counts is called for all values.
  if (!facts.isPlain(pairs.key)) return undefined
  return withInputs(shuffle, [withInputs(pairs, [withInputs(filter, [pairs.inputs[0]])]), ...samples])
}
