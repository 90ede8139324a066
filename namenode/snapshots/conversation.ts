// The conversation about snapshots, as routes.

import { GristmillError } from '../../src/base/errors.ts'
import type { Clock } from '../../src/ports/clock.ts'
import * as protocol from '../../src/protocol/snapshot.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { Journal } from '../journal/journal.ts'
import { pairKey } from '../journal/keys.ts'
import type { Actor } from '../journal/operation.ts'
import { checkMay, mayRead } from '../namespace/access.ts'
import { checkFree } from '../namespace/reserved.ts'
import { entryAt, pathOf } from '../namespace/resolve.ts'
import { createSnapshot, removeSnapshot } from './mutations.ts'
import { allSnapshots, snapshotsOf } from './rows.ts'

const pageMax = 1000

export interface SnapshotOptions {
  readonly journal: Journal
  readonly clock: Clock
  readonly actor: (user: string) => Actor
  /** There is work for the sweeper. */
  readonly removed: () => void
}

export function snapshotRoutes({ journal, clock, actor, removed }: SnapshotOptions): Route[] {
  const { view } = journal
  return [
    route(protocol.create, ({ requestId, path, name }, { user }) => {
      checkFree(path)
      return journal.submit(createSnapshot, { requestId, path, name, nowMs: clock.now(), ...actor(user) })
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
      return { snapshots: [...snapshotsOf(view, entry.id)].map(({ name, createdMs, owner }) => ({ path, name, createdMs, owner })) }
    }),
  ]

  function everything({ user, root }: Actor, after: string | undefined) {
    if (!root) throw new GristmillError('EACCES', `${user} may not list the snapshots of all directories; name one, or ask as the cluster's superuser`)
    const [directory = 0, seq = 0] = (after ?? '').split(':').map(Number)
    if (!Number.isSafeInteger(directory) || !Number.isSafeInteger(seq)) throw new GristmillError('EINVAL', `"${after}" is no place in this list`)
    const rows = [...allSnapshots(view, after === undefined ? undefined : pairKey(directory, seq + 1), pageMax)]
    const last = rows.at(-1)
    return {
      snapshots: rows.filter(row => row.owner !== '').map(({ directory: id, name, createdMs, owner }) => ({ path: pathOf(view, id) ?? '/', name, createdMs, owner })),
      ...rows.length === pageMax && { next: `${last!.directory}:${last!.seq}` },
    }
  }
}
