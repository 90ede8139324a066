// get: copies files and directories out of the cluster. A local file appears complete (temporary name, then rename) or not at all.

import { copyAll } from '../copy.ts'
import type { CommandContext } from '../context.ts'
import { canCopy, keptName, localTarget, makeFor, placed } from '../target.ts'
import { localPath, remotePaths } from '../tree.ts'
import { run as cat } from './cat.ts'

export interface GetOptions { recursive?: boolean; overwrite?: boolean; preserve?: boolean }

export async function run(
  context: CommandContext, operands: readonly string[], { recursive, overwrite, preserve }: GetOptions,
): Promise<void> {
  const to = operands.length === 1 ? '.' : operands.at(-1)!
  const from = operands.length === 1 ? operands : operands.slice(0, -1)
  if (to === '-') return cat(context, from)
  const mill = await context.mill()
  const { disk } = await context.world()
  const sources = await Array.fromAsync(remotePaths(context, from))
  if (sources.length === 0) return
  const target = await localTarget(disk, to, localPath(context, to), sources.length > 1)
  const copies = await placed(context, sources, target, keptName)
  await makeFor(target, copies, canCopy(mill, recursive === true, context.signal))
  await copyAll(context, {
    verb: 'get', copies,
    walk: (copy, options) => mill.getSteps(copy.from, copy.to, { ...options, recursive, overwrite, preserve }),
  })
}
