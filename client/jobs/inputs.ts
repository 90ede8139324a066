// Input paths as people give them, as the files that they mean: a file, a directory (everything below it), or a pattern.
// A path that exists as it is written is itself. Names that begin with `_` or `.` are left out below what was named, so that
// `_SUCCESS` of one job is no input of the next; the caller is told of them. A path or pattern that means nothing is ENOENT; a
// directory without files means no files, and that is fine.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { nameOf, normalise } from '../../src/base/paths.ts'
import { showText } from '../../src/base/quote.ts'
import { hidden } from '../../src/protocol/apart.ts'
import { list, stat, type FileStatus } from '../../src/protocol/namespace.ts'
import { clusterTree, type StatusTree } from '../files/glob.ts'
import { expand, isPattern } from '../glob/expand.ts'
import type { CallMessage } from '../call/cluster.ts'

export interface InputsOptions {
  readonly signal?: AbortSignal | undefined
  /** Told of each file and directory that was left out because of its name; a file named by another path is read all the same. */
  readonly onLeftOut?: ((entry: FileStatus) => void) | undefined
}

/** The files of all `paths`, each once, in byte order of their paths. */
export async function findInputs(
  ask: CallMessage, paths: readonly string[], { signal, onLeftOut }: InputsOptions = {},
): Promise<FileStatus[]> {
  if (paths.length === 0) throw new GristmillError('EINVAL', 'a job needs at least one input path')
  const found = new Map<string, FileStatus>()
  const leftOut = new Map<string, FileStatus>()
  const tree = treeOf(ask, signal)
  const leave = (entry: FileStatus): void => void leftOut.set(entry.path, entry)
  for (const path of paths) {
    for await (const file of meant(path, tree, leave)) found.set(file.path, file)
  }
  for (const entry of leftOut.values()) if (!found.has(entry.path)) onLeftOut?.(entry)
  return [...found.values()].sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
}

async function* meant(path: string, tree: StatusTree, leave: (entry: FileStatus) => void): AsyncIterable<FileStatus> {
  const cluster = clusterTree(tree)
  const itself = isPattern(path) ? await cluster.find(normalise(path)) : undefined
  if (!isPattern(path) || itself) {
    const status = itself?.status ?? await tree.status(normalise(path))
    if (status.type === 'file' && path.endsWith('/'))
      throw new GristmillError('ENOTDIR', `the input ${path} is a file, not a directory`, { details: { path } })
    yield* within(status, tree, leave)
    return
  }
  let any = false
  for await (const { entry } of expand(path, cluster, { hidden, onHidden: ({ entry }) => leave(entry.status) })) {
    any = true
    yield* within(entry.status, tree, leave)
  }
  if (!any)
    throw new GristmillError(
      'ENOENT',
      `no input matches ${path}; look at "gristmill ls ${normalise(path.replace(/[^/]*[*?[{].*$/s, ''))}"`,
      { details: { path } },
    )
}

/** A file itself; of a directory everything below it. */
async function* within(entry: FileStatus, tree: StatusTree, leave: (entry: FileStatus) => void): AsyncIterable<FileStatus> {
  if (entry.type === 'file') { yield entry; return }
  for await (const child of tree.list(entry.path)) {
    if (hidden.includes(nameOf(child.path)[0]!)) leave(child)
    else yield* within(child, tree, leave)
  }
}

export function treeOf(ask: CallMessage, signal: AbortSignal | undefined): StatusTree {
  return {
    status: path => ask(stat, { path }, signal),
    async *list(directory) {
      let after: string | undefined
      do {
        const page = await ask(list, { path: directory, limit: limits.listPageMax, ...after !== undefined && { after } }, signal)
        yield* page.entries
        after = page.next
      } while (after !== undefined)
    },
  }
}

const namedMax = 3

/** One line about what was left out; undefined if there is nothing to tell. `_SUCCESS` is no news: every job's output has one. */
export function leftOutLine(entries: readonly FileStatus[]): string | undefined {
  const told = entries.filter(entry => nameOf(entry.path) !== '_SUCCESS')
  if (told.length === 0) return undefined
  const names = told.slice(0, namedMax).map(entry => (showText(entry.type === 'directory' ? `${entry.path}/` : entry.path)))
  return `not read, because names that begin with _ or . are no input unless they are named themselves: ${names.join(', ')}${told.length > namedMax ? ` and ${told.length - namedMax} more` : ''}`
}
