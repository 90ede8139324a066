// Differences between two versions of a directory tree. Entries are matched by id, so that an entry with a new name or place is
// renamed, not deleted and created. Directories with equal name and id are walked side by side; entries on one side only are kept
// until the end, because the matching entry may come later.

import { join, nameOf } from '../../src/base/paths.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'

export interface Difference {
  readonly kind: 'created' | 'deleted' | 'modified' | 'renamed'
  readonly type: 'file' | 'directory'
  /** Path relative to the directory: the current one, or the old one if deleted. */
  readonly path: string
  /** For kind `renamed`: the old path. */
  readonly from?: string
}

interface Seen {
  readonly status: FileStatus
  readonly path: string
  readonly parent: number
}

type List = (path: string) => AsyncIterable<FileStatus>

/**
 * Yields modified entries as they are found, then deleted ones, then created and renamed ones. Of a created or deleted directory
 * only the topmost entry is reported.
 */
export async function* differences(before: string, after: string, list: List): AsyncGenerator<Difference, void, undefined> {
  const gone = new Map<number, Seen>()
  const come = new Map<number, Seen>()

  async function gather(into: Map<number, Seen>, seen: Seen): Promise<void> {
    into.set(seen.status.id, seen)
    if (seen.status.type !== 'directory') return
    for await (const status of list(seen.status.path))
      await gather(into, { status, path: join(seen.path, nameOf(status.path)), parent: seen.status.id })
  }

  async function* compare(old: string, now: string, path: string, parent: number): AsyncGenerator<Difference, void, undefined> {
    const [left, right] = [list(old)[Symbol.asyncIterator](), list(now)[Symbol.asyncIterator]()]
    try {
      let [a, b] = [await left.next(), await right.next()]
      while (!a.done || !b.done) {
        const order = a.done ? 1 : b.done ? -1 : Buffer.from(nameOf(a.value.path)).compare(Buffer.from(nameOf(b.value.path)))
        const [one, other] = [order <= 0 && !a.done ? a.value : undefined, order >= 0 && !b.done ? b.value : undefined]
        const at = join(path, nameOf((one ?? other)!.path))
        if (one && other?.id === one.id) {
          if (isModified(one, other)) yield { kind: 'modified', type: other.type, path: at }
          if (one.type === 'directory') yield* compare(one.path, other.path, at, one.id)
        } else {
          if (one) await gather(gone, { status: one, path: at, parent })
          if (other) await gather(come, { status: other, path: at, parent })
        }
        if (one) a = await left.next()
        if (other) b = await right.next()
      }
    } finally {
      await left.return?.()
      await right.return?.()
    }
  }

  yield* compare(before, after, '', 0)
  for (const [id, { status, path, parent }] of gone) {
    if (come.has(id) || (gone.has(parent) && !come.has(parent))) continue
    yield { kind: 'deleted', type: status.type, path }
  }
  for (const [id, { status, path, parent }] of come) {
    const old = gone.get(id)
    if (!old) {
      if (!come.has(parent) || gone.has(parent)) yield { kind: 'created', type: status.type, path }
      continue
    }
    // An entry that only moved with its directory is not reported.
    const moved = old.parent !== parent || nameOf(old.path) !== nameOf(path)
    if (moved) yield { kind: 'renamed', type: status.type, path, from: old.path }
    if (isModified(old.status, status)) yield { kind: 'modified', type: status.type, path }
  }
}

/** Files are written once: with an equal id, the content is equal. */
function isModified(one: FileStatus, other: FileStatus): boolean {
  return (
    one.mode !== other.mode
    || one.owner !== other.owner
    || one.group !== other.group
    || one.replication !== other.replication
    || one.mtimeMs !== other.mtimeMs
  )
}
