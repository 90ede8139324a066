// The two trees of names that operands speak of, as globs and walks see them: the cluster's and the local disk's.

import { hasCode } from '../../src/base/errors.ts'
import { join, namesOf, normalise } from '../../src/base/paths.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import type { Mill } from '../mill.ts'
import { isAbsolute, join as joinLocal } from 'node:path'
import type { Context } from './context.ts'
import { expandGlob, type Tree } from './glob.ts'

export function remoteTree(mill: Mill, signal: AbortSignal): Tree {
  return {
    async *list(directory) {
      for await (const status of mill.list(directory, { signal })) yield { name: namesOf(status.path).at(-1)!, directory: status.type === 'directory' }
    },
    exists: async path => (await statusOrNone(mill, normalise(path), signal)) !== undefined,
    join,
    split: pattern => ({ start: '/', parts: pattern.split('/').filter(part => part !== '' && part !== '.') }),
  }
}

export function localTree(disk: Disk, cwd: string): Tree {
  const real = (path: string): string => (isAbsolute(path) ? path : joinLocal(cwd, path))
  return {
    async *list(directory) {
      const entries = await disk.list(real(directory))
      for (const { name, kind } of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
        const found = kind === 'other' ? await disk.stat(joinLocal(real(directory), name), { follow: true }) : { kind }
        yield { name, directory: found?.kind === 'directory' }
      }
    },
    exists: async path => (await disk.stat(real(path))) !== undefined,
    join: (directory, name) => (directory === '' ? name : joinLocal(directory, name)),
    split: pattern => ({ start: isAbsolute(pattern) ? '/' : '', parts: pattern.split('/').filter(part => part !== '' && part !== '.') }),
  }
}

/** undefined if there is nothing of that name. */
export async function statusOrNone(mill: Mill, path: string, signal: AbortSignal): Promise<FileStatus | undefined> {
  try {
    return await mill.status(path, { signal })
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

/** Operands of the cluster with their globs expanded, in the order given. A glob without a match is complained of. */
export async function* remotePaths(context: Context, operands: readonly string[]): AsyncGenerator<string> {
  const tree = remoteTree(await context.mill(), context.signal)
  for (const operand of operands) {
    try {
      for await (const path of expandGlob(operand, tree)) yield normalise(path)
    } catch (error) {
      context.giveUpOn(operand, error)
    }
  }
}

export interface Walked { readonly status: FileStatus; readonly depth: number }

/** A path and everything below it, a directory before what is in it (or after, with `post`), names in byte order. */
export async function* walk(mill: Mill, status: FileStatus, options: { signal: AbortSignal; depthMax?: number; post?: boolean }, depth = 0): AsyncGenerator<Walked> {
  if (!options.post) yield { status, depth }
  if (status.type === 'directory' && depth < (options.depthMax ?? Infinity)) {
    for await (const child of mill.list(status.path, { signal: options.signal })) yield* walk(mill, child, options, depth + 1)
  }
  if (options.post) yield { status, depth }
}

export type { Tree }
