// Resolves input paths of a job to files: a file, a directory (with everything below it), or a pattern. A path that exists
// literally is taken literally. Names that begin with `_` or `.` are skipped below a named path, so that `_SUCCESS` of one job is
// no input of the next; the caller is informed. A path or pattern without a match is ENOENT; a directory without files yields no
// files and is no error.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { endsAsDirectory, nameOf, normalise } from '../../src/base/paths.ts'
import { showText } from '../../src/base/quote.ts'
import { hidden } from '../../src/protocol/overlap.ts'
import { list, stat, type FileStatus } from '../../src/protocol/namespace.ts'
import { clusterTree, type StatusTree } from '../files/glob.ts'
import { expand, isPattern } from '../glob/expand.ts'
import type { CallMessage } from '../call/cluster.ts'
import { paged } from '../call/pages.ts'
import { referred } from './references.ts'

export interface InputsOptions {
  readonly signal?: AbortSignal | undefined
  /** Called for each file and directory skipped because of its name, unless another path names it. */
  readonly onLeftOut?: ((entry: FileStatus) => void) | undefined
  /** False for a file that is left out. Called for each file that a path leads to, path by path. */
  readonly keep?: ((path: string, file: FileStatus) => boolean) | undefined
  /** Called for each file that is kept. */
  readonly onFound?: ((path: string, file: FileStatus) => void) | undefined
  /** Path by which a file is ordered; default: its own. */
  readonly nameOf?: ((path: string) => string) | undefined
}

/** The files of all `paths`, each once, in byte order of their paths, or of the names that stand for them. */
export async function findInputs(
  ask: CallMessage, paths: readonly string[],
  { signal, onLeftOut, keep = () => true, onFound, nameOf: nameFor = path => path }: InputsOptions = {},
): Promise<FileStatus[]> {
  if (paths.length === 0) throw new GristmillError('EINVAL', 'a job needs at least one input path')
  const found = new Map<string, FileStatus>()
  const leftOut = new Map<string, FileStatus>()
  const tree = treeOf(ask, signal)
  const leave = (entry: FileStatus): void => void leftOut.set(entry.path, entry)
  for (const path of paths) {
    for await (const file of meant(path, tree, leave)) {
      if (!keep(path, file)) continue
      found.set(file.path, file)
      onFound?.(path, file)
    }
  }
  for (const entry of leftOut.values()) if (!found.has(entry.path)) onLeftOut?.(entry)
  return [...found.values()].sort((a, b) => Buffer.compare(Buffer.from(nameFor(a.path)), Buffer.from(nameFor(b.path))))
}

async function* meant(path: string, tree: StatusTree, leave: (entry: FileStatus) => void): AsyncIterable<FileStatus> {
  const cluster = clusterTree(tree)
  const itself = isPattern(path) ? await cluster.find(normalise(path)) : undefined
  if (!isPattern(path) || itself) {
    const status = itself?.status ?? await tree.status(normalise(path))
    if (status.type === 'file' && endsAsDirectory(path))
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

/** A file itself, or everything below a directory. */
async function* within(entry: FileStatus, tree: StatusTree, leave: (entry: FileStatus) => void): AsyncIterable<FileStatus> {
  if (entry.type === 'file') { yield entry; return }
  for await (const child of tree.list(entry.path)) {
    if (hidden.includes(nameOf(child.path)[0]!)) leave(child)
    else yield* within(child, tree, leave)
  }
}

export function treeOf(ask: CallMessage, signal: AbortSignal | undefined): StatusTree {
  return {
    status: async path => (await referred(ask, [await ask(stat, { path }, signal)], signal))[0]!,
    async *list(directory) {
      const askPage = (after?: string) =>
        ask(list, { path: directory, limit: limits.listPageMax, ...after !== undefined && { after } }, signal)
      for await (const page of paged(askPage)) yield* await referred(ask, page.entries, signal)
    },
  }
}

const namedMax = 3

/** One line about skipped entries; undefined if there are none. `_SUCCESS` is not mentioned: every job's output has one. */
export function leftOutLine(entries: readonly FileStatus[]): string | undefined {
  const listed = entries.filter(entry => nameOf(entry.path) !== '_SUCCESS')
  if (listed.length === 0) return undefined
  const names = listed.slice(0, namedMax).map(entry => (showText(entry.type === 'directory' ? `${entry.path}/` : entry.path)))
  return `skipped, because names that begin with _ or . are input only if they are named explicitly: ${names.join(', ')}${listed.length > namedMax ? ` and ${listed.length - namedMax} more` : ''}`
}
