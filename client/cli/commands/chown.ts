// chown: sets owner and group: owner, owner:group, or :group.

import { GristmillError } from '../../../src/base/errors.ts'
import { concurrent } from '../concurrent.ts'
import type { CommandContext } from '../context.ts'
import { remotePaths, walk } from '../tree.ts'

export async function run(context: CommandContext, operands: readonly string[], options: { recursive?: boolean }): Promise<void> {
  const [wanted, ...paths] = operands as [string, ...string[]]
  const match = /^([^:\s]*)(?::([^:\s]+))?$/.exec(wanted)
  if (!match || (!match[1] && !match[2]))
    throw new GristmillError('USAGE', `"${wanted}" is not an owner; write owner, owner:group or :group`)
  const names = { ...(match[1] ? { owner: match[1] } : {}), ...(match[2] ? { group: match[2] } : {}) }
  const mill = await context.mill()
  const { signal } = context
  await context.each(remotePaths(context, paths), async path => {
    const status = await mill.status(path, { signal })
    const all = walk(mill, status, { signal, depthMax: options.recursive ? Infinity : 0, post: true })
    // Children first: the caller may lose access to a directory by changing its owner.
    for await (const _ of concurrent(
      all,
      below => mill.chown(below.status.path, names, { signal }),
      below => below.status.type === 'directory',
    ));
  })
}
