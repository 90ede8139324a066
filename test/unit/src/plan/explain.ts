// Readable text of a plan: one line per node, the write node first, each node below the one that reads it. A node that several others read
// is written out once, and named by its number below the others.

import { unreachable } from '../../../../src/base/assert.ts'
import type { Plan, PlanNode } from '../../../../src/plan/node.ts'

export function explain({ root }: Plan): string {
  const lines: string[] = []
  const seen = new Map<PlanNode, number>()
  const visit = (node: PlanNode, depth: number): void => {
    const known = seen.get(node)
    const indent = depth === 0 ? '' : `${'  '.repeat(depth - 1)}└ `
    if (known !== undefined && node.inputs.length > 0) return void lines.push(`${indent}${lineOf(node)}, as above`)
    seen.set(node, lines.length)
    lines.push(indent + lineOf(node))
    for (const input of node.inputs) visit(input, depth + 1)
  }
  visit(root, 0)
  return lines.join('\n')
}

function lineOf(node: PlanNode): string {
  switch (node.kind) {
    case 'read': {
      const { format, ...options } = node.options
      return `read ${format}${node.paths ? ` ${node.paths.join(' ')}` : ''}${optionsOf(options)}`
    }
    case 'validate': case 'map': case 'combine': case 'reduce': case 'key': case 'sampleKeys': case 'union': case 'fold': case 'ungroup':
    case 'sample': case 'partition': return node.kind
    case 'values': return `values in ${node.parts}`
    case 'each': return node.op
    case 'command': return `${node.role} ${node.argv?.join(' ') ?? 'lines'}`
    case 'top': case 'limit': return `${node.kind} ${node.count}`
    case 'total': case 'encode': return node.kind
    case 'group': case 'sortedGroup': return node.flat ? 'flatMap groups' : 'map groups'
    case 'regroup': return 'regroup'
    case 'resources': return 'resources'
    case 'join': case 'lookup': return `${node.how} join`
    case 'shuffle': {
      const by = node.ranges ? 'ranges' : node.partition === undefined ? 'hash' : 'partition function'
      return `shuffle by ${by}${node.partitions === undefined ? '' : ` into ${node.partitions}`}`
    }
    case 'write': {
      const { format, ...options } = node.output
      return `write ${format}${optionsOf(options)}`
    }
    default: return unreachable(node)
  }
}

function optionsOf(options: Readonly<Record<string, unknown>>): string {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return given.length === 0 ? '' : ` (${given.map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(', ')})`
}
