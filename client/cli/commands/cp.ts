// cp: copies within the cluster. The bytes stream through this process; there is no shared block between two files.

import { isWithin, join, nameOf } from '../../../src/base/paths.ts'
import type { FileStatus } from '../../../src/protocol/namespace.ts'
import type { Mill } from '../../mill.ts'
import { Refusal } from '../complaint.ts'
import { copyAll, type Step } from '../copy.ts'
import type { Context } from '../context.ts'
import { apart, keptName, remoteTarget } from '../target.ts'
import { remotePaths, statusOrNone } from '../tree.ts'

export interface CpOptions { recursive?: boolean; overwrite?: boolean; preserve?: boolean; replication?: number; blockSize?: number }

interface Parts { readonly mill: Mill; readonly options: CpOptions }

export async function run(context: Context, operands: readonly string[], options: CpOptions): Promise<void> {
  const mill = await context.mill()
  const sources = await Array.fromAsync(remotePaths(context, operands.slice(0, -1)))
  if (sources.length === 0) return
  const target = await remoteTarget(mill, operands.at(-1)!, sources.length > 1, context.signal)
  await copyAll(context, plan(context, { mill, options }, apart(context, sources.map(from => ({ from, to: target.pathFor(target.directory ? keptName(from) : '') })))))
}

async function* plan(context: Context, parts: Parts, copies: readonly { from: string; to: string }[]): AsyncGenerator<Step> {
  for (const { from, to } of copies) {
    try {
      const status = await parts.mill.status(from, { signal: context.signal })
      if (status.type === 'file') yield copyFile(context, parts, status, to)
      else if (!parts.options.recursive) throw new Refusal('EISDIR', `${from}: is a directory; add -r to copy it with all that is below`, { details: { path: from } })
      else if (isWithin(to, from)) throw new Refusal('EINVAL', `${from}: cannot be copied into itself (${to})`, { details: { path: from } })
      else yield* copyDirectory(context, parts, status, to)
    } catch (error) {
      context.giveUpOn(from, error)
    }
  }
}

async function* copyDirectory(context: Context, parts: Parts, directory: FileStatus, to: string): AsyncGenerator<Step> {
  await parts.mill.mkdir(to, { recursive: true, signal: context.signal })
  if (parts.options.preserve) {
    for (const [name, value] of await parts.mill.xattrs.list(directory.path, { signal: context.signal })) await parts.mill.xattrs.set(to, name, value, { signal: context.signal })
  }
  for await (const child of parts.mill.list(directory.path, { signal: context.signal })) {
    const target = join(to, nameOf(child.path))
    if (child.type === 'file') yield copyFile(context, parts, child, target)
    else yield* copyDirectory(context, parts, child, target)
  }
}

function copyFile(context: Context, { mill, options }: Parts, status: FileStatus, to: string): Step {
  return {
    name: status.path,
    bytes: status.length,
    run: async moved => {
      if (to === status.path) throw new Refusal('EINVAL', `${to}: is the same file`, { details: { path: to } })
      if (!options.overwrite && await statusOrNone(mill, to, context.signal)) throw new Refusal('EEXIST', `${to}: file exists; add -f to replace it`, { details: { path: to } })
      let before = 0
      await mill.cp(status.path, to, {
        overwrite: options.overwrite === true,
        preserve: options.preserve === true,
        ...(options.replication === undefined ? {} : { replication: options.replication }),
        ...(options.blockSize === undefined ? {} : { blockSize: options.blockSize }),
        signal: context.signal,
        onProgress: ({ bytes: done }) => { moved(done - before); before = done },
      })
    },
  }
}
