// get: files and directories out of the cluster. A local file appears whole (a temporary name, then a rename) or not at all.

import { isAbsolute, join as joinLocal } from 'node:path'
import { nameOf } from '../../../src/base/paths.ts'
import type { Disk } from '../../../src/ports/disk.ts'
import type { FileStatus } from '../../../src/protocol/namespace.ts'
import type { Mill } from '../../mill.ts'
import { Refusal } from '../complaint.ts'
import { copyAll, type Step } from '../copy.ts'
import type { Context } from '../context.ts'
import { apart, keptName } from '../target.ts'
import { remotePaths } from '../tree.ts'
import { run as cat } from './cat.ts'

export interface GetOptions { recursive?: boolean; overwrite?: boolean; preserve?: boolean }

interface Parts { readonly mill: Mill; readonly disk: Disk; readonly options: GetOptions }

export async function run(context: Context, operands: readonly string[], options: GetOptions): Promise<void> {
  const to = operands.length === 1 ? '.' : operands.at(-1)!
  const from = operands.length === 1 ? operands : operands.slice(0, -1)
  if (to === '-') return cat(context, from)
  const mill = await context.mill()
  const { disk } = await context.world()
  const paths = await Array.fromAsync(remotePaths(context, from))
  if (paths.length === 0) return
  const target = joinLocal(isAbsolute(to) ? to : joinLocal(context.cwd, to))
  const existing = await disk.stat(target, { follow: true })
  const intoDirectory = existing?.kind === 'directory' || to.endsWith('/')
  if (!intoDirectory && paths.length > 1) throw new Refusal(existing ? 'ENOTDIR' : 'ENOENT', `${to}: not a directory, so several things cannot go there; write ${to}/ to make it`)
  if (intoDirectory && !existing) await disk.mkdir(target, { mode: 0o777 })
  await copyAll(context, plan(context, { mill, disk, options }, apart(context, paths.map(from => ({ from, to: intoDirectory ? joinLocal(target, keptName(from)) : target })))))
}

async function* plan(context: Context, parts: Parts, copies: readonly { from: string; to: string }[]): AsyncGenerator<Step> {
  for (const { from: path, to: local } of copies) {
    try {
      const status = await parts.mill.status(path, { signal: context.signal })
      if (status.type === 'file') yield getFile(context, parts, status, local)
      else if (!parts.options.recursive) throw new Refusal('EISDIR', `${path}: is a directory; add -r to get it with all that is below`, { details: { path } })
      else yield* getDirectory(context, parts, status, local)
    } catch (error) {
      context.giveUpOn(path, error)
    }
  }
}

async function* getDirectory(context: Context, parts: Parts, directory: FileStatus, local: string): AsyncGenerator<Step> {
  await parts.disk.mkdir(local, { mode: parts.options.preserve ? (directory.mode & 0o777) | 0o700 : 0o777 })
  for await (const child of parts.mill.list(directory.path, { signal: context.signal })) {
    const to = joinLocal(local, nameOf(child.path))
    if (child.type === 'file') yield getFile(context, parts, child, to)
    else yield* getDirectory(context, parts, child, to)
  }
}

function getFile(context: Context, { mill, disk, options }: Parts, status: FileStatus, local: string): Step {
  return {
    name: status.path,
    bytes: status.length,
    run: async moved => {
      const there = await disk.stat(local, { follow: true })
      if (there?.kind === 'directory') throw new Refusal('EISDIR', `${local}: is a directory, and ${status.path} is a file`)
      const replaced = there ? there.kind === 'file' : (await disk.stat(local)) !== undefined
      if (replaced && !options.overwrite) throw new Refusal('EEXIST', `${local}: file exists; add -f to replace it`)
      let before = 0
      await mill.get(status.path, local, {
        overwrite: options.overwrite === true,
        preserve: options.preserve === true,
        signal: context.signal,
        onProgress: ({ bytes: done }) => { moved(done - before); before = done },
      })
    },
  }
}
