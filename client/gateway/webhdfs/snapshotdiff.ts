// Reports of differences between snapshots, as HDFS makes them: GETSNAPSHOTDIFF as one list, and GETSNAPSHOTDIFFLISTING in pages that begin
// at a directory of the older version and an index among its created and deleted entries. Paths are those of the older version, relative to
// the directory, without a slash in front; the directory itself is the empty path.

import type { Difference } from '../../files/diff.ts'

interface Entry {
  readonly path: string
  readonly directory: number
  readonly id: number
  /** Of a renamed entry in its old directory: its path in the newer version. */
  readonly target?: string
  /** The entry exists in both versions. */
  readonly renamed: boolean
}

/** An entry with other attributes, or a directory with other entries, which HDFS calls modified too. */
interface Modified {
  readonly path: string
  readonly id: number
  readonly isDirectory: boolean
  readonly created: Entry[]
  readonly deleted: Entry[]
}

const relative = (path: string): string => path.replace(/^\//, '')
const directoryOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))

/** A directory goes before what is in it, and that before its next sibling. */
const keyOf = (path: string): Buffer => Buffer.from(path.replaceAll('/', '\0'))
const sorted = <T extends { readonly path: string }>(list: readonly T[]): T[] =>
  list.map(each => ({ each, key: keyOf(each.path) })).sort((a, b) => a.key.compare(b.key)).map(({ each }) => each)

/** Gathers differences by directory, in the order of a walk over the older version. */
export async function gatherChanges(differences: AsyncIterable<Difference>): Promise<Modified[]> {
  const all = new Map<string, Modified>()
  const at = (path: string, id: number, isDirectory: boolean): Modified => {
    const there = all.get(path)
    if (there) return there
    const made = { path, id, isDirectory, created: [], deleted: [] }
    all.set(path, made)
    return made
  }
  for await (const { kind, type, path: now, from, id, directory, fromDirectory, before } of differences) {
    const path = before === undefined ? undefined : relative(before)
    if (kind === 'modified') at(path!, id, type === 'directory')
    else if (kind === 'deleted') at(directoryOf(path!), directory, true).deleted.push({ path: path!, directory, id, renamed: false })
    else if (path !== undefined)
      at(directoryOf(path), directory, true).created.push({ path, directory, id, renamed: kind === 'renamed' })
    if (from !== undefined) {
      const old = relative(from)
      at(directoryOf(old), fromDirectory!, true).deleted
        .push({ path: old, directory: fromDirectory!, id, renamed: true, target: relative(now) })
    }
  }
  return sorted([...all.values()]).map(each => ({ ...each, created: sorted(each.created), deleted: sorted(each.deleted) }))
}

/** Entries of the list of GETSNAPSHOTDIFF. */
export const reportOf = (changes: readonly Modified[]): object[] => changes.flatMap(({ path, created, deleted }) => [
  { type: 'MODIFY', sourcePath: path },
  ...created.filter(({ renamed }) => !renamed).map(each => ({ type: 'CREATE', sourcePath: each.path })),
  ...deleted.map(({ path: sourcePath, target }) =>
    (target === undefined ? { type: 'DELETE', sourcePath } : { type: 'RENAME', sourcePath, targetPath: target })),
])

const listed = ({ path: sourcePath, directory: dirId, id: fileId, renamed: isReference, target }: Entry): object =>
  ({ dirId, fileId, isReference, sourcePath, ...target !== undefined && { targetPath: target } })

interface PageStart {
  readonly path: string
  /** -1: the directory itself; else among its created entries, and then its deleted ones. */
  readonly index: number
}

interface Page {
  readonly modifyList: readonly object[]
  readonly createList: readonly object[]
  readonly deleteList: readonly object[]
  /** Start of the next page; `''` and -1 after the last one. */
  readonly lastPath: string
  readonly lastIndex: number
}

/** The page of up to `limit` entries from a start on. */
export function pageOf(changes: readonly Modified[], start: PageStart, limit: number): Page {
  const lists = { modifyList: [] as object[], createList: [] as object[], deleteList: [] as object[] }
  const first = keyOf(start.path)
  let count = 0
  for (const { path, id, isDirectory, created, deleted } of changes) {
    const order = keyOf(path).compare(first)
    if (order < 0) continue
    const from = order === 0 ? start.index : -1
    for (let index = from; index < created.length + deleted.length; index++) {
      if (count++ === limit) return { ...lists, lastPath: path, lastIndex: index }
      if (index < 0) lists.modifyList.push({ dirId: id, fileId: id, isReference: isDirectory, sourcePath: path })
      else if (index < created.length) lists.createList.push(listed(created[index]!))
      else lists.deleteList.push(listed(deleted[index - created.length]!))
    }
  }
  return { ...lists, lastPath: '', lastIndex: -1 }
}
