// The rooms of a namenode, in the order in which they are opened: each uses what the namenode itself (type Ground) and earlier rooms have
// made. A new room is one line here; its messages, chores and operations are declared in its own room.ts.

import type { Address, ClusterId } from '../src/base/ids.ts'
import type { Store } from '../src/ports/store.ts'
import type { World } from '../src/ports/world.ts'
import type { BlockTokens } from '../src/rpc/token.ts'
import { adminRoom } from './admin/room.ts'
import { balanceRoom } from './balance/room.ts'
import { backupRoom } from './backup/room.ts'
import { blocksRoom } from './blocks/room.ts'
import type { NamenodeConfig } from './config.ts'
import { jobsRoom } from './jobs/room.ts'
import type { Journal } from './journal/journal.ts'
import type { Actor, AnyMutation } from './journal/operation.ts'
import { journalRoom } from './journal/room.ts'
import { namespaceRoom } from './namespace/room.ts'
import { nodeCallsRoom } from './nodecalls/room.ts'
import { nodesRoom } from './nodes/room.ts'
import { objectsRoom } from './objects/room.ts'
import { quotasRoom } from './quotas/room.ts'
import { RoomList, type OpenRooms } from './room.ts'
import { serviceRoom } from './service/room.ts'
import { snapshotsRoom } from './snapshots/room.ts'
import { successionRoom } from './succession/room.ts'
import type { NamenodeTimes } from './times.ts'
import { trashRoom } from './trash/room.ts'
import { catalogRoom } from './catalog/room.ts'
import { usersRoom } from './users/room.ts'
import { versionsRoom } from './versions/room.ts'
import { leasesRoom, writingRoom } from './writing/room.ts'
import { xattrsRoom } from './xattrs/room.ts'

/** Objects that the namenode gives to all rooms. */
export interface Ground {
  readonly world: World
  readonly config: NamenodeConfig
  readonly times: NamenodeTimes
  /** Time that removed entries stay in the trash; 0: they do not go there. */
  readonly trashKeepMs: number
  readonly inlineBytes: number
  /** Older versions of an output that are kept, and for how long; 0 ms: for ever. */
  readonly versionBounds: { readonly keep: number; readonly keepMs: number }
  readonly cluster: ClusterId
  /** Id of this namenode. */
  readonly id: string
  /** Address at which others reach it. REQUIRES: it listens. */
  readonly address: () => Address
  readonly journal: Journal
  readonly store: Store
  readonly tokens: BlockTokens
  readonly actor: (user: string) => Actor
}

export const rooms = new RoomList<Ground>()
  .with(journalRoom)
  .with(nodesRoom)
  .with(successionRoom)
  .with(backupRoom) // early, because it stops after the rooms below
  .with(leasesRoom)
  .with(blocksRoom)
  .with(serviceRoom)
  .with(balanceRoom)
  .with(namespaceRoom)
  .with(writingRoom)
  .with(objectsRoom)
  .with(trashRoom)
  .with(quotasRoom)
  .with(snapshotsRoom)
  .with(xattrsRoom)
  .with(usersRoom)
  .with(catalogRoom)
  .with(versionsRoom)
  .with(jobsRoom)
  .with(adminRoom)
  .with(nodeCallsRoom) // last, because datanodes that register make the rooms above begin their work

export type Rooms = typeof rooms extends RoomList<Ground, infer Have> ? OpenRooms<Have> : never

/** All mutations that a journal may hold. INVARIANT: a released kind is never removed, so that old journals replay. */
export const allMutations: readonly AnyMutation[] = rooms.mutations
