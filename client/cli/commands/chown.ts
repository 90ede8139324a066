// chown: owner, owner:group, or :group.

import { GristmillError } from '../../../src/base/errors.ts'
import type { Context } from '../context.ts'
import { remotePaths, walk } from '../tree.ts'

export async function run(context: Context, operands: readonly string[], options: { recursive?: boolean }): Promise<void> {
  const [wanted, ...paths] = operands as [string, ...string[]]
  const match = /^([^:\s]*)(?::([^:\s]+))?$/.exec(wanted)
  if (!match || (!match[1] && !match[2])) throw new GristmillError('USAGE', `"${wanted}" is not an owner; write owner, owner:group or :group`)
  const names = { ...(match[1] ? { owner: match[1] } : {}), ...(match[2] ? { group: match[2] } : {}) }
  const mill = await context.mill()
  const { signal } = context
  await context.each(remotePaths(context, paths), async path => {
    const status = await mill.status(path, { signal })
    for await (const below of walk(mill, status, { signal, depthMax: options.recursive ? Infinity : 0 })) {
      await mill.chown(below.status.path, names, { signal })
    }
  })
}
