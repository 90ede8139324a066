// Numbers of nodes by their content: two nodes that compute the same values from the same inputs by the same functions get one number. A
// node that may draw random numbers, count, or have other effects gets a number of its own, because the program expects these effects once
// for each place at which it describes the node.

import { unreachable } from '../base/assert.ts'
import type { PlanNode } from './node.ts'
import type { PlanFacts } from './rule.ts'

/** REQUIRES: called for each node once, in an order that is the same in every process, with inputs that have numbers. */
export function contentNumbers(facts: Pick<PlanFacts, 'isPlain' | 'isSame'>): (node: PlanNode) => number {
  const known = new Map<string, Array<{ readonly node: PlanNode; readonly number: number }>>()
  let count = 0
  return node => {
    const number = count++
    if (!isRepeatable(node, facts)) return number
    const name = contentOf(node)
    const others = known.get(name) ?? []
    known.set(name, others)
    const other = others.find(each => hasSameFunctions(each.node, node, facts))
    if (other) return other.number
    others.push({ node, number })
    return number
  }
}

const functionFields = ['fn', 'key', 'value', 'partition'] as const

const apart: ReadonlySet<string> = new Set([...functionFields, 'inputs', 'place'])

type Fields = Readonly<Partial<Record<typeof functionFields[number], number>>>

/** Everything but functions and places, as text. */
function contentOf(node: PlanNode): string {
  const own = Object.entries(node).filter(([name]) => !apart.has(name))
  return JSON.stringify([own.sort(([a], [b]) => (a < b ? -1 : 1)), node.inputs.map(input => input.number)])
}

const hasSameFunctions = (a: PlanNode, b: PlanNode, { isSame }: Pick<PlanFacts, 'isSame'>): boolean =>
  functionFields.every(field => isSame((a as Fields)[field], (b as Fields)[field]))

function isRepeatable(node: PlanNode, { isPlain }: Pick<PlanFacts, 'isPlain'>): boolean {
  switch (node.kind) {
    case 'read': case 'values': case 'union': case 'fold': case 'combine': case 'ungroup': case 'limit': case 'encode':
    case 'resources': return true
    case 'validate': return isPlain(node.fn)
    case 'each': return node.op !== 'peek' && node.op !== 'mapAsync' && isPlain(node.fn)
    // Without a key function pairs are spread from a random partition on.
    case 'key': return node.key !== undefined && isPlain(node.key) && isPlain(node.value)
    case 'sampleKeys': case 'top': case 'lookup': return isPlain(node.key)
    case 'regroup': return isPlain(node.value)
    case 'shuffle': return node.partition === undefined
    case 'group': case 'sortedGroup': case 'total': return isPlain(node.fn, 2)
    case 'join': return isPlain(node.fn, 3)
    case 'sample': case 'partition': case 'map': case 'reduce': case 'write': case 'command': return false
    default: return unreachable(node)
  }
}
