// Datanodes of the cluster of `up` in this home whose processes have ended: messages about missing replicas name the command that starts
// them again.

import type { CommandContext } from '../context.ts'

/** Number of them; 0 if the command uses another cluster. */
export async function endedDatanodes(context: CommandContext): Promise<number> {
  const [settings, { disk }, machine, { locate }, { isAlive }] = await Promise.all([
    context.settings(), context.world(), context.machine(), import('../../discovery/locate.ts'), import('../../discovery/running.ts'),
  ])
  // The answer to the command is worth more than this advice.
  const place = await locate({ disk, machine }, settings).catch(() => undefined)
  if (place?.kind !== 'cluster' || !place.running) return 0
  return place.running.processes.filter(each => each.role === 'datanode' && !isAlive(machine, each)).length
}
