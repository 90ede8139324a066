// cp: copies within the cluster. Data streams through this process; two files never share a block.

import { copyAll } from '../copy.ts'
import type { CommandContext } from '../context.ts'
import { canCopy, keptName, makeFor, placed, remoteTarget } from '../target.ts'
import { remotePaths } from '../tree.ts'

export interface CpOptions { recursive?: boolean; overwrite?: boolean; preserve?: boolean; replication?: number; blockSize?: number }

export async function run(
  context: CommandContext, operands: readonly string[],
  { recursive, overwrite = false, preserve, replication, blockSize }: CpOptions,
): Promise<void> {
  const mill = await context.mill()
  const sources = await Array.fromAsync(remotePaths(context, operands.slice(0, -1)))
  if (sources.length === 0) return
  const target = await remoteTarget(mill, operands.at(-1)!, sources.length > 1, context.signal)
  const copies = await placed(context, sources, target, keptName)
  await makeFor(target, copies, canCopy(mill, recursive === true, context.signal))
  await copyAll(context, {
    verb: 'copy', copies,
    walk: ({ from, to }, options) => mill.cpSteps(from, to, { ...options, recursive, overwrite, preserve, replication, blockSize }),
  })
}
