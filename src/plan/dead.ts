// Rule that drops dead branches: those that cannot give a value, as of from([]), sample(0) and top(0), and of joins with them. Steps that
// see whole tasks (mapPartitions) run also where there are no values, and are kept; so are branches whose functions count, or are called
// for their effects.

import { unreachable } from '../base/assert.ts'
import { nodesOf, withInputs, type JoinKind, type PlanNode } from './node.ts'
import type { PlanFacts, Rule } from './rule.ts'

export const dropDeadBranches: Rule = {
  name: 'drop-dead-branches',
  about: 'a branch that cannot give a value is not computed',
  apply(node: PlanNode, facts: PlanFacts): PlanNode {
    const isDead = (input: PlanNode): boolean => !isNothing(input) && isEmpty(input) && isPure(input, facts)
    switch (node.kind) {
      case 'union': {
        const alive = node.inputs.filter(input => !isNothing(input) && !isDead(input))
        if (alive.length === node.inputs.length || alive.length === 0) return node
        return alive.length === 1 ? alive[0]! : withInputs(node, alive)
      }
      // A range without values needs no samples.
      case 'shuffle': {
        if (!isDead(node.inputs[0])) return node
        const { ranges: _, ...bare } = node
        return Object.freeze({ ...bare, inputs: Object.freeze([nothing] as const) })
      }
      case 'write': return isDead(node.inputs[0]) ? withInputs(node, [nothing]) : node
      default: return node
    }
  },
}

/** Source without tasks, whose function is never called. */
const nothing: PlanNode = Object.freeze({ kind: 'values', inputs: Object.freeze([] as const), parts: 0, fn: 0 })

const isNothing = (node: PlanNode): boolean => node.kind === 'values' && node.parts === 0

/** True if the node gives no rows, whatever the functions do. */
function isEmpty(root: PlanNode): boolean {
  const empty = new Map<PlanNode, boolean>()
  for (const node of nodesOf(root)) empty.set(node, isEmptyOver(node, node.inputs.map(input => empty.get(input)!)))
  return empty.get(root)!
}

function isEmptyOver(node: PlanNode, [first = false, second = false, ...others]: readonly boolean[]): boolean {
  switch (node.kind) {
    case 'read': case 'write': return false
    case 'values': return node.parts === 0 || node.bytes === 0
    case 'sample': return node.fraction === 0 || first
    case 'top': case 'limit': return node.count === 0 || first
    case 'validate': case 'each': case 'key': case 'combine': case 'fold': case 'group': case 'sortedGroup': case 'ungroup': case 'regroup':
    case 'shuffle':
    case 'total': case 'encode': case 'resources':
      return first
    case 'union': return [first, second, ...others].slice(0, node.inputs.length).every(Boolean)
    case 'join': return isJoinEmpty(node.how, first, second)
    case 'lookup': return node.build === 'right' ? isJoinEmpty(node.how, first, second) : isJoinEmpty(node.how, second, first)
    // They give rows for a task without values, or may do so: `sampleKeys` the number of values, teardown of a map-reduce job any pairs.
    case 'partition': case 'sampleKeys': case 'map': case 'reduce': case 'command': return false
    default: return unreachable(node)
  }
}

function isJoinEmpty(how: JoinKind, left: boolean, right: boolean): boolean {
  switch (how) {
    case 'inner': case 'semi': return left || right
    case 'left': case 'anti': return left
    case 'right': return right
    case 'full': case 'group': return left && right
    default: return unreachable(how)
  }
}

/** True if the program cannot see that the functions are not called. */
function isPure(root: PlanNode, { isPlain }: PlanFacts): boolean {
  return nodesOf(root).every(node => {
    switch (node.kind) {
      case 'each': return node.op !== 'peek' && node.op !== 'mapAsync' && isPlain(node.fn)
      case 'key': return isPlain(node.key) && isPlain(node.value)
      case 'sampleKeys': case 'top': case 'lookup': return isPlain(node.key)
      case 'regroup': return isPlain(node.value)
      case 'group': case 'sortedGroup': return isPlain(node.fn, 2)
      case 'join': return isPlain(node.fn, 3)
      case 'partition': case 'map': case 'reduce': case 'command': case 'write': return false
      default: return true
    }
  })
}
