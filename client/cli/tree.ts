// Name trees of the cluster and of the local disk, for globs and walks over operands.

import { basename, isAbsolute } from 'node:path'
import { isUrl, notPath } from '../../src/base/url.ts'
import { hasCode } from '../../src/base/errors.ts'
import { endsAsDirectory, normalise } from '../../src/base/paths.ts'
import { showText } from '../../src/base/quote.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { clusterTree } from '../files/glob.ts'
import { localEntry } from '../glob/local.ts'
import { isPattern } from '../glob/pattern.ts'
import type { Mill } from '../mill.ts'
import type { CommandContext } from './context.ts'
import { Refusal } from './errors.ts'
import { expandGlob, type Tree } from './glob.ts'

export function remoteTree(mill: Mill, signal: AbortSignal): Tree {
  const tree = clusterTree({ status: path => mill.status(path, { signal }), list: directory => mill.list(directory, { signal }) })
  return { ...tree, find: path => tree.find(normalise(path)) }
}

/** Normal form of an operand, with its trailing slash, which requires a directory. */
export function remotePath(operand: string): string {
  const path = normalise(operand)
  return endsAsDirectory(operand) && path !== '/' ? `${path}/` : path
}

/**
 * Absolute local path. `..` is left to the system: after a symbolic link its meaning depends on the link's target. Throws EINVAL for an
 * address.
 */
export function localPath({ cwd }: { readonly cwd: string }, path: string): string {
  if (isUrl(path)) throw notPath(path, 'local')
  return `/${(isAbsolute(path) ? path : `${cwd}/${path}`).split('/').filter(part => part !== '' && part !== '.').join('/')}`
}

export function localTree(disk: Disk, cwd: string): Tree {
  const real = (path: string): string => localPath({ cwd }, path)
  return {
    start: pattern => (isAbsolute(pattern) ? '/' : ''),
    // Not normalised, as in the system: `..` after a link means the parent of the link's target.
    join: (directory, name) => (directory === '' ? name : directory.endsWith('/') ? `${directory}${name}` : `${directory}/${name}`),
    async *list(directory) {
      const entries = (await disk.list(real(directory))).map(entry => ({ ...entry, order: Buffer.from(entry.name) }))
      for (const { name, kind } of entries.sort((a, b) => Buffer.compare(a.order, b.order)))
        yield await localEntry(disk, `${real(directory)}/${name}`, { name, kind })
    },
    async find(path) {
      const found = await disk.stat(real(path))
      return found && localEntry(disk, real(path), { name: basename(path), kind: found.kind })
    },
  }
}

/** undefined if the path does not exist. */
export async function statusOrNone(mill: Mill, path: string, signal: AbortSignal): Promise<FileStatus | undefined> {
  try {
    return await mill.status(path, { signal })
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

/**
 * Status of a path that is to be changed. If it is not found, or may not be seen, `change` is sent all the same, so that the namenode
 * refuses it: its audit log has a line for the change that a user has asked for. A change that depends on the present state of the path is
 * not sent (undefined): the path may be there by then.
 */
export async function statusToChange(
  mill: Mill, path: string, signal: AbortSignal, change: (() => Promise<unknown>) | undefined,
): Promise<FileStatus> {
  try {
    return await mill.status(path, { signal })
  } catch (error) {
    if (!change || !hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) throw error
    await change()
    // It has been created in between.
    return mill.status(path, { signal })
  }
}

/** Expands the globs of cluster operands, in the given order. A glob without a match is reported as failed. */
export async function* remotePaths(context: CommandContext, operands: readonly string[]): AsyncGenerator<string> {
  const tree = remoteTree(await context.mill(), context.signal)
  for (const operand of operands) {
    try {
      for await (const path of expandGlob(operand, tree)) yield normalise(path)
    } catch (error) {
      context.giveUpOn(operand, await context.advised(error))
    }
  }
}

/**
 * Path of the cluster that a command is to write: a pattern stands for the path that it matches. Without a match it is a name, which a note
 * says. Throws EINVAL for several matches.
 */
export async function pathToWrite(context: CommandContext, operand: string): Promise<string> {
  if (!isPattern(operand)) return operand
  const matches = await matchesOf(context, operand)
  if (matches.length > 1) {
    const [first, second] = matches
    const all = `${first}, ${second}${matches.length > 2 ? ' and more' : ''}`
    throw new Refusal('EINVAL', `${operand}: matches ${all}; name one of them`, { details: { path: operand } })
  }
  if (matches.length === 0) context.note(`${showText(operand)} matches no path of the cluster; it is taken as a name`)
  return matches[0] ?? operand
}

/** Path of the cluster at which a command writes a file, and its status. Throws EISDIR and ENOTDIR for a path that names a directory. */
export async function fileToWrite(context: CommandContext, operand: string): Promise<{ path: string; before: FileStatus | undefined }> {
  const given = await pathToWrite(context, operand)
  const path = normalise(given)
  const before = await statusOrNone(await context.mill(), path, context.signal)
  if (before?.type === 'directory') throw new Refusal('EISDIR', `${path}: is a directory; name a file in it`, { details: { path } })
  if (!endsAsDirectory(given)) return { path, before }
  throw before
    ? new Refusal('ENOTDIR', `${given}: not a directory`, { details: { path } })
    : new Refusal('EISDIR', `${given}: a slash at the end names a directory; name a file in it, or leave out the slash`, { details: { path } })
}

/** Paths of the cluster that a pattern matches, which may be none. */
export async function matchesOf(context: CommandContext, pattern: string): Promise<string[]> {
  try {
    return await Array.fromAsync(expandGlob(pattern, remoteTree(await context.mill(), context.signal)))
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return []
    throw error
  }
}

export interface Walked { readonly status: FileStatus; readonly depth: number }

/** Yields a path and everything below it, a directory before its contents (or after, with `post`), names in byte order. */
export async function* walk(
  mill: Mill, status: FileStatus,
  options: { signal: AbortSignal; depthMax?: number; post?: boolean },
  depth = 0,
): AsyncGenerator<Walked> {
  if (!options.post) yield { status, depth }
  if (status.type === 'directory' && depth < (options.depthMax ?? Infinity)) {
    for await (const child of mill.list(status.path, { signal: options.signal })) yield* walk(mill, child, options, depth + 1)
  }
  if (options.post) yield { status, depth }
}
