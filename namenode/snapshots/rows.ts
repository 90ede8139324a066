// Rows of snapshots: table "snapshots", (directory, number of the creating operation) → name, time, owner, and the directory's own entry,
// which its history does not have: that keeps what is in the directory. The snapshots of a directory are adjacent, in order of creation.

import { assert } from '../../src/base/assert.ts'
import { inodeId, type InodeId } from '../../src/base/ids.ts'
import { Packer, Unpacker } from '../journal/codec.ts'
import { pairKey, readId } from '../journal/keys.ts'
import type { Row, View } from '../journal/view.ts'
import { decodeEntry, encodeEntry, type NameEntry } from '../namespace/entry.ts'

interface SnapshotRow {
  readonly directory: InodeId
  readonly seq: number
  readonly name: string
  readonly createdMs: number
  readonly owner: string
  /** The encoded entry of the directory when the snapshot was taken; undefined in rows of earlier versions, and of counts and views. */
  readonly taken?: Buffer | undefined
}

const version = 1
/** Version 1 with the entry of the directory behind it. Versions of gristmill that do not know it refuse it. */
const takenVersion = 2
/** Name in the row of a view of a version (versions/rows.ts), which has no owner. */
export const versionView = 'version'
const packer = new Packer()

/** `entry`: of the directory, as the snapshot shows it. */
export function encodeSnapshot(
  { name, createdMs, owner, entry }: Pick<SnapshotRow, 'name' | 'createdMs' | 'owner'> & { readonly entry?: NameEntry | undefined },
): Buffer {
  const row = packer.u8(entry ? takenVersion : version).u48(createdMs).text(owner).text(name).done()
  return entry ? Buffer.concat([row, encodeEntry(entry)]) : row
}

function decode({ key, value }: Row): SnapshotRow {
  const unpacker = new Unpacker(value)
  const written = unpacker.u8()
  assert(written === version || written === takenVersion, `a snapshot of version ${written}`)
  const createdMs = unpacker.u48()
  const owner = unpacker.text()
  const name = unpacker.text()
  return {
    directory: inodeId(readId(key)), seq: readId(key, 8), name, createdMs, owner,
    ...written === takenVersion && { taken: Buffer.from(unpacker.rest()) },
  }
}

/**
 * The directory as a snapshot of it shows it, with the time at which the snapshot was taken. A snapshot of an earlier version of gristmill
 * shows the rights of now.
 */
export const topOf = ({ taken, createdMs }: Pick<SnapshotRow, 'taken' | 'createdMs'>, now: NameEntry): NameEntry =>
  ({ ...taken ? decodeEntry(taken) : now, mtimeMs: createdMs })

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
