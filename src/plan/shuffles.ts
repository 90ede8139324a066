// Rules about shuffles and what is next to them: combine before a shuffle, and drop a shuffle that is shuffled again.

import { withInputs, type PlanNode } from './node.ts'
import type { Rule } from './rule.ts'

/** Each map task sends one value per key instead of many. A program with a combine accepts combined values anyway. */
export const combineBeforeShuffle: Rule = {
  name: 'combine-before-shuffle',
  about: 'values of a key are combined in each task before they are moved',
  apply(node: PlanNode): PlanNode {
    if (node.kind !== 'combine') return node
    const [shuffle] = node.inputs
    if (shuffle.kind !== 'shuffle') return node
    const [pairs, ...others] = shuffle.inputs
    return withInputs(shuffle, [withInputs(node, [pairs]), ...others])
  },
}

/** The second shuffle undoes the grouping and order of the first one. */
export const dropShuffle: Rule = {
  name: 'drop-shuffle',
  about: 'a shuffle whose pairs are shuffled again is left out',
  apply(node: PlanNode): PlanNode {
    if (node.kind !== 'shuffle') return node
    const [pairs, ...others] = node.inputs
    return pairs.kind === 'shuffle' ? withInputs(node, [pairs.inputs[0], ...others]) : node
  },
}
