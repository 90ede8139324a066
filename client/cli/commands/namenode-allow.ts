// namenode allow-deletions: confirms mass deletions. Datanodes refuse them from a recently started namenode until an operator
// confirms that its state is right.

import { plural } from '../format.ts'
import type { CommandContext } from '../context.ts'

export async function run(context: CommandContext): Promise<void> {
  const { printer, signal } = context
  const { nodes } = await (await context.mill()).allowDeletions({ signal })
  if (context.json) return printer.json({ nodes })
  if (nodes.length === 0) return printer.line('no datanode has refused deletions')
  for (const { node, address, refused } of nodes) await printer.line(`${node} at ${address} may delete ${plural(refused, 'block')}`)
}
