// Handlers of `snapshot.*`: check the caller's permissions, submit the mutations (snapshots/mutations.ts), and page the list. Listed
// in room.ts.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { namesOf } from '../../src/base/paths.ts'
import type { Clock } from '../../src/ports/clock.ts'
import * as protocol from '../../src/protocol/snapshot.ts'
import type { Snapshot } from '../../src/protocol/snapshot.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import { unlessRepeated, type Journal } from '../journal/journal.ts'
import { pairKey } from '../journal/keys.ts'
import type { Actor } from '../journal/operation.ts'
import { checkMay, mayRead } from '../namespace/access.ts'
import { leadingToSnapshots } from './history.ts'
import { checkFree } from '../namespace/reserved.ts'
import { entryAt, objectsName, pathOf } from '../namespace/resolve.ts'
import { createSnapshot, removeSnapshot } from './mutations.ts'
import { allSnapshots, snapshotsOf } from './rows.ts'

const pageMax = 1000

function checkFreeName(path: string, name: string | undefined): void {
  checkFree(path)
  if (name !== objectsName) return
  throw new GristmillError('EINVAL', `a snapshot cannot be called "${name}": older versions of objects are read below this name`,
    { details: { path, name } })
}

interface SnapshotOptions {
  readonly journal: Journal
  readonly clock: Clock
  readonly actor: (user: string) => Actor
  /** Wakes the sweeper. */
  readonly removed: () => void
}

export function snapshotRoutes({ journal, clock, actor, removed }: SnapshotOptions): Route[] {
  const { view } = journal
  return [
    route(protocol.create, ({ requestId, path, name }, { user }) => {
      checkFreeName(path, name)
      unlessRepeated(journal, requestId, () => checkLevels(actor(user), path))
      return journal.submit(createSnapshot, { requestId, path, name, keepsEntry: true, nowMs: clock.now(), ...actor(user) })
    }),
    route(protocol.remove, async ({ requestId, path, name }, { user }) => {
      checkFree(path)
      await journal.submit(removeSnapshot, { requestId, path, name, nowMs: clock.now(), ...actor(user) })
      removed()
      return {}
    }),
    route(protocol.list, ({ path, after }, { user }) => {
      const who = actor(user)
      if (path === undefined) return everything(who, after)
      const entry = entryAt(view, who, path)
      if (!entry.directory) throw new GristmillError('ENOTDIR', `${path} is a file; snapshots are of directories`, { details: { path } })
      checkMay(who, entry, mayRead, path)
      const from = after === undefined ? 0 : placeIn(after).seq
      const snapshots: Snapshot[] = []
      let text = 0
      for (const { seq, name, createdMs, owner } of snapshotsOf(view, entry.id)) {
        if (seq <= from) continue
        snapshots.push({ path, name, createdMs, owner })
        text += path.length + name.length
        if (text > limits.pageTextMax) return { snapshots, next: `${entry.id}:${seq}` }
      }
      return { snapshots }
    }),
  ]

  /** Checked before the journal, so that replay is not affected. Throws EINVAL. */
  function checkLevels(who: Actor, path: string): void {
    if (view.counters.snapshots === 0) return
    const leading = leadingToSnapshots(view)
    const levels = leading.size + namesOf(path).length
    if (levels > limits.snapshotLevelsMax && !leading.has(entryAt(view, who, path).id)) {
      throw new GristmillError(
        'EINVAL',
        `directories with snapshots, and those above them, would be up to ${levels}; at most ${limits.snapshotLevelsMax} are allowed: take snapshots of directories further up`,
        { details: { path } },
      )
    }
  }

  function everything({ user, root }: Actor, after: string | undefined) {
    if (!root)
      throw new GristmillError(
        'EACCES',
        `${user} may not list the snapshots of all directories; name one, or ask as the cluster's superuser`,
      )
    const { directory, seq } = placeIn(after ?? '')
    const snapshots: Snapshot[] = []
    let count = 0
    let levels = 0
    for (const row of allSnapshots(view, after === undefined ? undefined : pairKey(directory, seq + 1), pageMax)) {
      count++
      // A row without an owner is the snapshot of a running quota count.
      if (row.owner !== '') {
        const path = pathOf(view, row.directory) ?? '/'
        snapshots.push({ path, name: row.name, createdMs: row.createdMs, owner: row.owner })
        levels += namesOf(path).length
      }
      if (count === pageMax || levels > limits.pageLevelsMax) return { snapshots, next: `${row.directory}:${row.seq}` }
    }
    return { snapshots }
  }
}

function placeIn(after: string): { directory: number; seq: number } {
  const [directory = 0, seq = 0] = after.split(':').map(Number)
  if (!Number.isSafeInteger(directory) || !Number.isSafeInteger(seq))
    throw new GristmillError('EINVAL', `"${after}" is not a position in this list`)
  return { directory, seq }
}
