// A plan for people: one line a node, the writing first, each below what reads it.

import { unreachable } from '../base/assert.ts'
import { chainOf, type Plan, type PlanNode } from './node.ts'

export function explain({ root }: Plan): string {
  return chainOf(root).reverse().map((node, depth) => `${depth === 0 ? '' : `${'  '.repeat(depth - 1)}└ `}${lineOf(node)}`).join('\n')
}

function lineOf(node: PlanNode): string {
  switch (node.kind) {
    case 'read': {
      const { format, ...options } = node.options
      return `read ${format}${optionsOf(options)}`
    }
    case 'map': case 'combine': case 'reduce': return node.kind
    case 'shuffle': return `shuffle by ${node.partition === undefined ? 'hash' : 'partition function'}${node.partitions === undefined ? '' : ` into ${node.partitions}`}`
    case 'write': {
      const { format, ...options } = node.output
      return `write ${format}${optionsOf(options)}`
    }
    default: return unreachable(node)
  }
}

function optionsOf(options: Readonly<Record<string, unknown>>): string {
  const said = Object.entries(options).filter(([, value]) => value !== undefined)
  return said.length === 0 ? '' : ` (${said.map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(', ')})`
}
