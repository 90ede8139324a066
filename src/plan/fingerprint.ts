// Fingerprint of a plan: processes that built the same plan compute the same one, so that a task never runs another function than the
// submitted one. It also detects programs whose plan depends on the time or on random numbers.

import { createHash } from 'node:crypto'
import { positionsOf, type PlanNode, type PlanShape } from './node.ts'

/** SHA-256, in hex, over the canonical JSON of all nodes, inputs before their readers. */
export function fingerprintOf({ root, functions, hooks }: PlanShape): string {
  const positions = positionsOf(root)
  const nodes = [...positions].map(([node, position]) => {
    // Numbers and sizes follow from the rest.
    const { inputs, number: _, bytes: __, ...own } = node as PlanNode & { readonly bytes?: number }
    const from = inputs.map(input => positions.get(input)!)
    // Omitted where a node reads the one before it: chains keep the fingerprints of versions whose plans were chains.
    return from.length === 0 || (from.length === 1 && from[0] === position - 1) ? own : { ...own, inputs: from }
  })
  const called = Object.keys(hooks)
  // Omitted if empty: plans without hooks keep the fingerprints of versions without hooks.
  return createHash('sha256')
    .update(canonical({ version: 1, nodes, functions: functions.length, hooks: called.length > 0 ? called : undefined }))
    .digest('hex')
}

/** JSON text that depends only on the value: keys sorted, undefined fields omitted. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const fields = Object.entries(value).filter(([, field]) => field !== undefined).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(',')}}`
}
