// Differences between two versions of a directory tree. Entries are matched by id, so that an entry with a new name or place is
// renamed, not deleted and created. Directories with equal name and id are walked side by side; entries on one side only are kept
// until the end, because the matching entry may come later.

import { join, nameOf, parentOf } from '../../src/base/paths.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'

export interface Difference {
  readonly kind: 'created' | 'deleted' | 'modified' | 'renamed'
  readonly type: 'file' | 'directory'
  /** Path relative to the directory: the current one, or the old one if deleted; empty: the directory itself. */
  readonly path: string
  /** For kind `renamed`: the old path. */
  readonly from?: string
  /** Id of the entry; it keeps the id when it is renamed. */
  readonly id: number
  /** Id of the directory that has the entry; for kind `deleted`, of the one that had it; for the directory itself, its own. */
  readonly directory: number
  /** For kind `renamed`: id of the directory that had the entry. */
  readonly fromDirectory?: number
  /**
   * Path by the names of the older version: where the entry was, or for kinds `created` and `renamed`, where it would be, had its directory
   * not been renamed. Missing if that directory is new.
   */
  readonly before?: string
}

interface Seen {
  readonly status: FileStatus
  readonly path: string
  readonly parent: number
}

interface Trees {
  readonly list: (path: string) => AsyncIterable<FileStatus>
  /** Access control list of an entry that has one, as text. */
  readonly aclOf: (path: string) => Promise<string>
  /** Status of the directory in both versions. */
  readonly tops: readonly [FileStatus, FileStatus]
}

/**
 * Yields modified entries as they are found, the directory itself first, then deleted ones, then created and renamed ones. Of a created or
 * deleted directory only the topmost entry is reported.
 */
export async function* differences({ list, aclOf, tops: [before, after] }: Trees): AsyncGenerator<Difference, void, undefined> {
  const gone = new Map<number, Seen>()
  const come = new Map<number, Seen>()

  async function gather(into: Map<number, Seen>, seen: Seen): Promise<void> {
    into.set(seen.status.id, seen)
    if (seen.status.type !== 'directory') return
    for await (const status of list(seen.status.path))
      await gather(into, { status, path: join(seen.path, nameOf(status.path)), parent: seen.status.id })
  }

  async function* compare(old: FileStatus, now: FileStatus, path: string): AsyncGenerator<Difference, void, undefined> {
    const [left, right] = [list(old.path)[Symbol.asyncIterator](), list(now.path)[Symbol.asyncIterator]()]
    try {
      let [a, b] = [await left.next(), await right.next()]
      while (!a.done || !b.done) {
        const order = a.done ? 1 : b.done ? -1 : Buffer.from(nameOf(a.value.path)).compare(Buffer.from(nameOf(b.value.path)))
        const [one, other] = [order <= 0 && !a.done ? a.value : undefined, order >= 0 && !b.done ? b.value : undefined]
        const at = join(path, nameOf((one ?? other)!.path))
        if (one && other?.id === one.id) {
          if (await isModified(one, other, aclOf))
            yield { kind: 'modified', type: other.type, path: at, id: one.id, directory: now.id, before: at }
          if (one.type === 'directory') yield* compare(one, other, at)
        } else {
          if (one) await gather(gone, { status: one, path: at, parent: old.id })
          if (other) await gather(come, { status: other, path: at, parent: now.id })
        }
        if (one) a = await left.next()
        if (other) b = await right.next()
      }
    } finally {
      await left.return?.()
      await right.return?.()
    }
  }

  // The time of a directory in its snapshot is that of the snapshot, and no attribute of the directory.
  if (await isModified({ ...before, mtimeMs: after.mtimeMs }, after, aclOf))
    yield { kind: 'modified', type: 'directory', path: '', id: after.id, directory: after.id, before: '' }
  yield* compare(before, after, '')
  for (const [id, { status, path, parent }] of gone) {
    if (come.has(id) || (gone.has(parent) && !come.has(parent))) continue
    yield { kind: 'deleted', type: status.type, path, id, directory: parent, before: path }
  }
  for (const [id, { status, path, parent: directory }] of come) {
    const [old, isNew] = [gone.get(id), come.has(directory) && !gone.has(directory)]
    const place = isNew ? {} : { before: join(gone.get(directory)?.path ?? parentOf(path), nameOf(path)) }
    if (!old) {
      if (!isNew) yield { kind: 'created', type: status.type, path, id, directory, ...place }
      continue
    }
    // An entry that only moved with its directory is not reported.
    const moved = old.parent !== directory || nameOf(old.path) !== nameOf(path)
    if (moved) yield { kind: 'renamed', type: status.type, path, from: old.path, id, directory, fromDirectory: old.parent, ...place }
    if (await isModified(old.status, status, aclOf))
      yield { kind: 'modified', type: status.type, path, id, directory, before: old.path }
  }
}

/** Files are written once: with an equal id, the content is equal. */
async function isModified(one: FileStatus, other: FileStatus, aclOf: Trees['aclOf']): Promise<boolean> {
  return (
    one.mode !== other.mode
    || one.owner !== other.owner
    || one.group !== other.group
    || one.replication !== other.replication
    || one.mtimeMs !== other.mtimeMs
    || one.acl !== other.acl
    || (one.acl === true && await aclOf(one.path) !== await aclOf(other.path))
  )
}
