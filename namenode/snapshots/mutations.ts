// Mutations of snapshots: create, remove, and the sweep of what nobody sees any more. Creating one writes a row and
// nothing else. Removing one does too, and leaves a note for the sweep, which looks at history page by page.

import { GristmillError } from '../../src/base/errors.ts'
import type { InodeId, RequestId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { checkName, isWithin, systemDirectory } from '../../src/base/paths.ts'
import type { Snapshot } from '../../src/protocol/snapshot.ts'
import { decodeValue, encodeValue } from '../journal/codec.ts'
import type { Draft } from '../journal/draft.ts'
import { pairKey, textKey } from '../journal/keys.ts'
import { mutation, type Actor, type AnyMutation } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { checkOwner } from '../namespace/access.ts'
import { decodeVersion, dropMark, forgetVersion, newestOf, snapshotted } from '../namespace/history.ts'
import { entryAt } from '../namespace/resolve.ts'
import { encodeSnapshot, snapshotNamed, snapshotsOf } from './rows.ts'

interface Asked extends Actor { readonly requestId?: RequestId | undefined; readonly nowMs: number; readonly path: string }

/** `s20261123T023805.123Z`. */
const nameFor = (ms: number): string => `s${new Date(ms).toISOString().replaceAll(/[-:]/g, '')}`

export const createSnapshot = mutation<Asked & { name?: string | undefined }, Snapshot>({
  kind: 'snapshot.create',
  mutate(draft, { path, name: wanted, nowMs, user, root }) {
    const entry = ownDirectory(draft, { user, root }, path)
    if (path !== '/' && isWithin(path, systemDirectory)) throw new GristmillError('EACCES', `there are no snapshots of ${path}: it is the system's own`, { details: { path } })
    const createdMs = Math.floor(nowMs)
    const name = wanted ?? nameFor(createdMs)
    checkName(name)
    const others = [...snapshotsOf(draft, entry)]
    if (others.some(one => one.name === name)) throw new GristmillError('EEXIST', `${path} has a snapshot "${name}" already`, { details: { path, name } })
    if (others.length >= limits.snapshotsMax) throw new GristmillError('EINVAL', `${path} has ${others.length} snapshots; remove some of them first`, { details: { path } })
    if (others.length === 0 && [...snapshotted(draft)].length >= limits.snapshotDirectoriesMax) {
      throw new GristmillError('EINVAL', `${limits.snapshotDirectoriesMax} directories have snapshots, and there may not be more; take them of directories further up`, { details: { path } })
    }
    draft.put('snapshots', pairKey(entry, draft.counters.appliedSeq + 1), encodeSnapshot({ name, createdMs, owner: user }))
    draft.count('snapshots', 1)
    draft.forgetDirectories()
    return { path, name, createdMs, owner: user }
  },
})

export const removeSnapshot = mutation<Asked & { name: string }, undefined>({
  kind: 'snapshot.remove',
  mutate(draft, { path, name, nowMs: _, user, root }) {
    const directory = ownDirectory(draft, { user, root }, path)
    const snapshot = snapshotNamed(draft, directory, name)
    if (!snapshot) throw new GristmillError('ENOENT', `${path} has no snapshot "${name}"`, { details: { path, name } })
    draft.remove('snapshots', pairKey(directory, snapshot.seq))
    draft.count('snapshots', -1)
    draft.forgetDirectories()
    noteStale(draft)
    return undefined
  },
})

function ownDirectory(draft: Draft, actor: Actor, path: string): InodeId {
  const entry = entryAt(draft, actor, path)
  if (!entry.directory) throw new GristmillError('ENOTDIR', `${path} is a file; snapshots are of directories`, { details: { path } })
  checkOwner(actor, entry, path)
  return entry.id
}

/** Where the sweep of history is, in hex, and whether it has to begin again when it is through. */
interface Note { readonly from: string; readonly again: boolean }

const noteKey = textKey('history')

function noteOf(view: View): Note | undefined {
  const bytes = view.get('meta', noteKey)
  return bytes && decodeValue<Note>(bytes)
}

const putNote = (draft: Draft, note: Note): void => draft.put('meta', noteKey, encodeValue(note))

/** A snapshot is gone: what only it saw is to be found. */
export function noteStale(draft: Draft): void {
  const note = noteOf(draft)
  if (draft.counters.history > 0 || draft.counters.marks > 0) putNote(draft, { from: note?.from ?? '', again: note !== undefined })
}

/** Is there something that no snapshot may see any more? */
export const hasStale = (view: View): boolean => (view.counters.history > 0 || view.counters.marks > 0) && noteOf(view) !== undefined

/** Looks at `limit` rows of history, and removes those that no snapshot sees any more. */
export const sweepHistory = mutation<{ limit: number }, undefined>({
  kind: 'snapshot.sweep',
  mutate(draft, { limit }) {
    const note = noteOf(draft)
    if (!note) return undefined
    const rows = [...draft.range('history', { start: Buffer.from(note.from, 'hex'), limit })]
    for (const { key, value } of rows) {
      const { seers, since, entry } = decodeVersion(value)
      if (!seers.some(({ directory, newest }) => newestOf(draft, directory, newest) >= since && newestOf(draft, directory, newest) > 0)) forgetVersion(draft, key, entry)
    }
    if (rows.length === limit) return putNote(draft, { ...note, from: Buffer.concat([rows.at(-1)!.key, Buffer.alloc(1)]).toString('hex') }), undefined
    if (note.again) return putNote(draft, { from: '', again: false }), undefined
    if (draft.counters.snapshots === 0) {
      // Nobody sees anything any more.
      const marks = [...draft.range('marks', { limit })]
      for (const { key } of marks) dropMark(draft, key)
      if (marks.length === limit) return undefined
    }
    draft.remove('meta', noteKey)
    return undefined
  },
})

export const snapshotMutations: readonly AnyMutation[] = [createSnapshot, removeSnapshot, sweepHistory]
