// mv: renames paths, each atomically. Moved into a directory, entries keep their names.

import { GristmillError } from '../../../src/base/errors.ts'
import { isWithin } from '../../../src/base/paths.ts'
import type { CommandContext } from '../context.ts'
import { canCopy, inWords, keptName, makeFor, placed, remoteTarget } from '../target.ts'
import { remotePaths } from '../tree.ts'

export async function run(
  context: CommandContext, operands: readonly string[], { overwrite = false }: { overwrite?: boolean },
): Promise<void> {
  const { signal } = context
  const mill = await context.mill()
  const sources = await Array.fromAsync(remotePaths(context, operands.slice(0, -1)))
  if (sources.length === 0) return
  const target = await remoteTarget(mill, operands.at(-1)!, sources.length > 1, signal)
  const placings = await placed(context, sources, target, keptName)
  await makeFor(target, placings, canCopy(mill, true, signal))
  const copies = new Map(placings.map(copy => [copy.from, copy.to]))
  await context.each(copies.keys(), async from => {
    const to = copies.get(from)!
    try {
      if (to === from) throw new GristmillError('EINVAL', 'moved onto itself', { details: { path: from, why: 'same' } })
      if (isWithin(to, from)) throw new GristmillError('EINVAL', 'moved into itself', { details: { path: from, dest: to, why: 'inside' } })
      await mill.rename(from, to, { overwrite, signal })
    } catch (error) {
      throw inWords(error, 'move')
    }
  })
}
