// Mutations of snapshots: create and remove. Creating writes one row. Removing deletes the row and starts the sweep of the
// history (historysweep.ts).

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { checkName, isWithin, systemDirectory } from '../../src/base/paths.ts'
import type { Snapshot } from '../../src/protocol/snapshot.ts'
import type { Draft } from '../journal/draft.ts'
import { pairKey } from '../journal/keys.ts'
import { mutation, type Actor, type AnyMutation, type UserOperation } from '../journal/operation.ts'
import { checkOwner } from '../namespace/access.ts'
import type { NameEntry } from '../namespace/entry.ts'
import { snapshotted } from './history.ts'
import { noteRemoved, sweepHistory } from './historysweep.ts'
import { entryAt } from '../namespace/resolve.ts'
import { encodeSnapshot, snapshotNamed, snapshotsOf } from './rows.ts'

interface Asked extends UserOperation { readonly path: string }

/** Default name: `s20261123T023805.123Z`. */
const nameFor = (ms: number): string => `s${new Date(ms).toISOString().replaceAll(/[-:]/g, '')}`

interface CreateAsked extends Asked {
  readonly name?: string | undefined
  /** Keeps the directory's own entry too. Missing in operations of earlier versions, whose snapshots show that of now. */
  readonly keepsEntry?: true | undefined
}

export const createSnapshot = mutation<CreateAsked, Snapshot>({
  kind: 'snapshot.create',
  mutate(draft, { path, name: wanted, keepsEntry, nowMs, user, root }) {
    const entry = ownDirectory(draft, { user, root }, path)
    if (path !== '/' && isWithin(path, systemDirectory))
      throw new GristmillError('EACCES', `there are no snapshots of ${path}: it is the system's own`, { details: { path } })
    const createdMs = Math.floor(nowMs)
    const name = wanted ?? nameFor(createdMs)
    checkName(name)
    const others = [...snapshotsOf(draft, entry.id)]
    if (others.some(one => one.name === name))
      throw new GristmillError('EEXIST', `${path} has a snapshot "${name}" already`, { details: { path, name } })
    if (others.length >= limits.snapshotsMax)
      throw new GristmillError('EINVAL', `${path} has ${others.length} snapshots; remove some of them first`, { details: { path } })
    if (others.length === 0 && countShown(draft) >= limits.snapshotDirectoriesMax) {
      throw new GristmillError(
        'EINVAL',
        `${limits.snapshotDirectoriesMax} directories have snapshots, and there may not be more; take them of directories further up`,
        { details: { path } },
      )
    }
    const row = encodeSnapshot({ name, createdMs, owner: user, ...keepsEntry && { entry } })
    draft.put('snapshots', pairKey(entry.id, draft.counters.appliedSeq + 1), row)
    draft.count('snapshots', 1)
    draft.forgetDirectories()
    return { path, name, createdMs, owner: user }
  },
})

/** Number of directories with snapshots of users; those of quota counts, which end by themselves, do not count. */
function countShown(draft: Draft): number {
  let count = 0
  for (const directory of snapshotted(draft)) for (const _ of snapshotsOf(draft, directory)) { count++; break }
  return count
}

export const removeSnapshot = mutation<Asked & { name: string }, undefined>({
  kind: 'snapshot.remove',
  mutate(draft, { path, name, nowMs: _, user, root }) {
    const { id: directory } = ownDirectory(draft, { user, root }, path)
    const snapshot = snapshotNamed(draft, directory, name)
    if (!snapshot) throw new GristmillError('ENOENT', `${path} has no snapshot "${name}"`, { details: { path, name } })
    draft.remove('snapshots', pairKey(directory, snapshot.seq))
    draft.count('snapshots', -1)
    draft.forgetDirectories()
    noteRemoved(draft)
    return undefined
  },
})

function ownDirectory(draft: Draft, actor: Actor, path: string): NameEntry {
  const entry = entryAt(draft, actor, path)
  if (!entry.directory) throw new GristmillError('ENOTDIR', `${path} is a file; snapshots are of directories`, { details: { path } })
  checkOwner(actor, entry, path)
  return entry
}

export const snapshotMutations: readonly AnyMutation[] = [createSnapshot, removeSnapshot, sweepHistory]
