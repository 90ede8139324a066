// Fingerprint of a plan: processes that built the same plan compute the same one, so that a task never runs another function than the
// submitted one. It also detects programs whose plan depends on the time or on random numbers.

import { createHash } from 'node:crypto'
import { chainOf, type Plan } from './node.ts'

/** SHA-256, in hex, over the canonical JSON of all nodes, from the read node to the write node. */
export function fingerprintOf({ root, functions, hooks }: Plan): string {
  const nodes = chainOf(root).map(node => {
    const { source: _, ...own } = node as { source?: unknown }
    return own
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
