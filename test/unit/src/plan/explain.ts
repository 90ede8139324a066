// Readable text of a plan: one line per node, the write node first, each node below the one that reads it.

import { unreachable } from '../../../../src/base/assert.ts'
import { chainOf, type Plan, type PlanNode } from '../../../../src/plan/node.ts'

export function explain({ root }: Plan): string {
  return chainOf(root).reverse().map((node, depth) => `${depth === 0 ? '' : `${'  '.repeat(depth - 1)}└ `}${lineOf(node)}`).join('\n')
}

function lineOf(node: PlanNode): string {
  switch (node.kind) {
    case 'read': {
      const { format, ...options } = node.options
      return `read ${format}${optionsOf(options)}`
    }
    case 'validate': case 'map': case 'combine': case 'reduce': return node.kind
    case 'shuffle': return 'shuffle by ' +
      `${node.partition === undefined ? 'hash' : 'partition function'}${node.partitions === undefined ? '' : ` into ${node.partitions}`}`
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
