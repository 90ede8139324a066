// Rows of snapshots: table "snapshots", (directory, number of the creating operation) → name, time, owner. The snapshots of a
// directory are adjacent, in order of creation.

import { assert } from '../../src/base/assert.ts'
import { inodeId, type InodeId } from '../../src/base/ids.ts'
import { Packer, Unpacker } from '../journal/codec.ts'
import { pairKey, readId } from '../journal/keys.ts'
import type { Row, View } from '../journal/view.ts'

interface SnapshotRow {
  readonly directory: InodeId
  readonly seq: number
  readonly name: string
  readonly createdMs: number
  readonly owner: string
}

const version = 1
/** Name in the row of a view of a version (versions/rows.ts), which has no owner. */
export const versionView = 'version'
const packer = new Packer()

export const encodeSnapshot = ({ name, createdMs, owner }: Omit<SnapshotRow, 'directory' | 'seq'>): Buffer =>
  packer.u8(version).u48(createdMs).text(owner).text(name).done()

function decode({ key, value }: Row): SnapshotRow {
  const unpacker = new Unpacker(value)
  assert(unpacker.u8() === version, 'a snapshot of version 1')
  const createdMs = unpacker.u48()
  const owner = unpacker.text()
  return { directory: inodeId(readId(key)), seq: readId(key, 8), name: unpacker.text(), createdMs, owner }
}

/** Snapshots of users; those of quota counts (quotas/usage.ts) and of versions (versions/rows.ts) have no owner and are not shown. */
export function* snapshotsOf(view: View, directory: InodeId): Iterable<SnapshotRow> {
  for (const row of view.range('snapshots', { start: pairKey(directory, 0), end: pairKey(directory + 1, 0) })) {
    const snapshot = decode(row)
    if (snapshot.owner !== '') yield snapshot
  }
}

/** Number of the newest snapshot of a directory that is no view of a version; 0 if there is none. */
export function newestUnversioned(view: View, directory: InodeId): number {
  for (const row of view.range('snapshots', { start: pairKey(directory, 0), end: pairKey(directory + 1, 0), reverse: true })) {
    const { seq, owner, name } = decode(row)
    if (owner !== '' || name !== versionView) return seq
  }
  return 0
}

/** Number of the newest snapshot of a user of a directory, up to `max`; 0 if there is none. */
export function newestShown(view: View, directory: InodeId, max: number): number {
  for (const row of view.range('snapshots', { start: pairKey(directory, 0), end: pairKey(directory, max + 1), reverse: true })) {
    const { seq, owner } = decode(row)
    if (owner !== '') return seq
  }
  return 0
}

export function snapshotNamed(view: View, directory: InodeId, name: string): SnapshotRow | undefined {
  for (const row of snapshotsOf(view, directory)) if (row.name === name) return row
  return undefined
}

/** Snapshots of all directories, including those of quota counts, from a key on. */
export function* allSnapshots(view: View, start: Buffer | undefined, limit: number): Iterable<SnapshotRow> {
  for (const row of view.range('snapshots', { start, limit })) yield decode(row)
}
