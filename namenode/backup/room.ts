// Room of backups. It stops after the rooms that change the state: its last backup contains their changes.

import type { ClusterId } from '../../src/base/ids.ts'
import type { Store } from '../../src/ports/store.ts'
import type { World } from '../../src/ports/world.ts'
import type { Journal } from '../journal/journal.ts'
import type { Authority } from '../succession/authority.ts'
import { room } from '../room.ts'
import { Backups, type BackupPlan } from './backups.ts'

interface BackupNeeds {
  readonly world: Pick<World, 'disk' | 'clock' | 'log' | 'inspectStore'>
  readonly config: { readonly dir: string; readonly backups?: BackupPlan | undefined }
  readonly cluster: ClusterId
  /** Id of the namenode. */
  readonly id: string
  readonly journal: Journal
  readonly store: Store
  readonly authority: Authority
}

export const backupRoom = room({
  name: 'backup',
  mutations: [],
  open({ world, config: { dir, backups: plan }, cluster, id, journal, store, authority }: BackupNeeds) {
    const backups = new Backups({
      world, store, journal, cluster, namenode: id, dir, plan, unsure: () => authority.unsure !== undefined,
    })
    return { made: { backups }, chores: [backups.chore], begin: () => backups.start(), stop: () => backups.stop() }
  },
})
