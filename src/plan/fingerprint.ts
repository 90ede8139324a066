// A plan's identity: two processes that built the same plan have the same fingerprint, so that a task never runs a function
// other than the one that was meant. A program whose plan depends on the time or on chance is found out by it.

import { createHash } from 'node:crypto'
import { chainOf, type Plan } from './node.ts'

/** SHA-256, in hex, over the canonical JSON of all nodes, from the reading to the writing. */
export function fingerprintOf({ root, functions, hooks }: Plan): string {
  const nodes = chainOf(root).map(node => {
    const { source: _, ...own } = node as { source?: unknown }
    return own
  })
  const called = Object.keys(hooks)
  // Left out where there are none: plans without hooks keep the fingerprints that they had before there were any.
  return createHash('sha256')
    .update(canonical({ version: 1, nodes, functions: functions.length, hooks: called.length > 0 ? called : undefined }))
    .digest('hex')
}

/** JSON whose text depends on the value alone: keys in order, what is undefined left out. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const fields = Object.entries(value).filter(([, field]) => field !== undefined).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(',')}}`
}
