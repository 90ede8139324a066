// mv: renames, in one step each. Into a directory, things keep their names.

import { hasCode } from '../../../src/base/errors.ts'
import { isWithin } from '../../../src/base/paths.ts'
import { Refusal } from '../complaint.ts'
import type { Context } from '../context.ts'
import { keptName, remoteTarget } from '../target.ts'
import { remotePaths } from '../tree.ts'

export async function run(context: Context, operands: readonly string[], options: { overwrite?: boolean }): Promise<void> {
  const { signal } = context
  const mill = await context.mill()
  const to = operands.at(-1)!
  const sources = await Array.fromAsync(remotePaths(context, operands.slice(0, -1)))
  if (sources.length === 0) return
  const target = await remoteTarget(mill, to, sources.length > 1, signal)
  await context.each(sources, async from => {
    const path = target.pathFor(keptName(from))
    if (path !== from && isWithin(path, from)) throw new Refusal('EINVAL', `${from}: cannot be moved into itself (${path})`, { details: { path: from } })
    try {
      await mill.rename(from, path, { overwrite: options.overwrite === true, signal })
    } catch (error) {
      if (hasCode(error, 'EEXIST') && !options.overwrite) throw new Refusal('EEXIST', `${path}: file exists; add -f to replace it`, { details: { path } })
      throw error
    }
  })
}
