// What differs between two trees of which one was the other some time ago. Things are known by their ids, so that one
// with another name or place is renamed, not deleted and created. Directories with one name and one id on both sides are
// walked through side by side; what is on one side only is gathered until the end, for its other half may come late.

import { join, nameOf } from '../../src/base/paths.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'

export interface Difference {
  readonly kind: 'created' | 'deleted' | 'modified' | 'renamed'
  readonly type: 'file' | 'directory'
  /** Relative to the directory: where it is, or was if it is deleted. */
  readonly path: string
  /** Of what is renamed: where it was. */
  readonly from?: string
}

interface Seen {
  readonly status: FileStatus
  readonly path: string
  readonly parent: number
}

type List = (path: string) => AsyncIterable<FileStatus>

/**
 * Modified things as they are met, then deleted ones, then created and renamed ones. Of what is created or deleted with all that is in it,
 * the topmost is named.
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
    // It went along with its directory.
    const moved = old.parent !== parent || nameOf(old.path) !== nameOf(path)
    if (moved) yield { kind: 'renamed', type: status.type, path, from: old.path }
    if (isModified(old.status, status)) yield { kind: 'modified', type: status.type, path }
  }
}

/** Files are written once: their bytes are the same as long as they are the same file. */
function isModified(one: FileStatus, other: FileStatus): boolean {
  return (
    one.mode !== other.mode
    || one.owner !== other.owner
    || one.group !== other.group
    || one.replication !== other.replication
    || one.mtimeMs !== other.mtimeMs
  )
}
