// Applies the rules of the optimizer to a plan until none of them changes it.

import { assert } from '../base/assert.ts'
import { nodesOf, withInputs, type PlanNode, type PlanShape, type WriteNode } from './node.ts'
import { aboutFunctions, type PlanFacts, type Rule } from './rule.ts'
import { rules } from './rules.ts'

/** A rule has made `after` from `before`. */
export interface RuleNote { readonly rule: string; readonly before: PlanNode; readonly after: PlanNode }

/** A rule either shortens a plan or moves a node towards the source, and none moves one back: far fewer rounds are ever needed. */
const roundsMax = 1000

export function optimize<P extends PlanShape>(plan: P, applied: readonly Rule[] = rules, note: (note: RuleNote) => void = () => {}): P {
  const early = applied.filter(rule => rule.early)
  let root = early.length > 0 ? improve(plan, early, note) : plan.root
  for (let round = 0; ; round++) {
    assert(round < roundsMax, 'the rules of the optimizer undo each other')
    const better = improve({ ...plan, root }, applied, note)
    if (better === root) return root === plan.root ? plan : Object.freeze({ ...plan, root })
    root = better
  }
}

/** Applies every rule once to every node. A node that several others read stays one node. */
function improve({ root, facts }: PlanShape, applied: readonly Rule[], note: (note: RuleNote) => void): WriteNode {
  const nodes = nodesOf(root)
  const better = new Map<PlanNode, PlanNode>()
  const { known, count } = knowledgeOf(nodes, facts)
  for (const node of nodes) {
    let result: PlanNode = withInputs(node, node.inputs.map(input => better.get(input)!))
    for (const rule of applied) {
      count(result, node)
      const made = rule.apply(result, known)
      if (made !== result) note({ rule: rule.name, before: result, after: made })
      result = made
    }
    count(result, node)
    better.set(node, result)
  }
  return better.get(root) as WriteNode
}

function knowledgeOf(
  nodes: readonly PlanNode[], facts: PlanShape['facts'],
): { known: PlanFacts; count(made: PlanNode, node: PlanNode): void } {
  const readers = new Map<PlanNode, Set<PlanNode>>(nodes.map(node => [node, new Set()]))
  for (const node of nodes) for (const input of node.inputs) readers.get(input)!.add(node)
  /** Readers of the nodes that stand in place of given ones. */
  const made = new Map<PlanNode, Set<PlanNode>>()
  const byNumber = new Map<number, PlanNode[]>()
  return {
    known: {
      ...aboutFunctions(facts),
      readers: node => made.get(node)?.size ?? Infinity,
      first(node) {
        if (node.number === undefined) return node
        const others = byNumber.get(node.number) ?? []
        byNumber.set(node.number, others)
        const other = others.find(each => computesSame(each, node))
        if (!other) others.push(node)
        return other ?? node
      },
    },
    count(result, node) {
      const all = made.get(result) ?? new Set<PlanNode>()
      for (const reader of readers.get(node)!) all.add(reader)
      made.set(result, all)
    },
  }
}

/** Nodes of one number: functions are the same, but rules may have given them other inputs or another number of partitions. */
function computesSame(a: PlanNode, b: PlanNode): boolean {
  if (a.kind !== b.kind || a.inputs.length !== b.inputs.length || !a.inputs.every((input, i) => input === b.inputs[i])) return false
  return a.kind !== 'shuffle' || b.kind !== 'shuffle'
    || (a.partitions === b.partitions && a.exact === b.exact && a.auto === b.auto && a.ranges === b.ranges)
}
