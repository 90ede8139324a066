// namenode allow-deletions: datanodes do not believe a namenode that has just started and wants many blocks removed; an operator
// who knows that it is right says so.

import { plural } from '../format.ts'
import type { CommandContext } from '../context.ts'

export async function run(context: CommandContext): Promise<void> {
  const { printer, signal } = context
  const { nodes } = await (await context.mill()).allowDeletions({ signal })
  if (context.json) return printer.json({ nodes })
  if (nodes.length === 0) return printer.line('no datanode has refused to remove anything')
  for (const { node, address, refused } of nodes) await printer.line(`${node} at ${address} may remove ${plural(refused, 'block')}`)
}
