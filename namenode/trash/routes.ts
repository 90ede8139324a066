// Routes of the trash, and the chore that removes expired items. Ages are measured with the journal's clock, which does not
// follow jumps of the wall clock: no item is removed early.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import type { Clock } from '../../src/ports/clock.ts'
import * as protocol from '../../src/protocol/trash.ts'
import type { TrashItem } from '../../src/protocol/trash.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { Chore } from '../chores.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { checkFree } from '../namespace/reserved.ts'
import { describe, items, keyOfItem } from './items.ts'
import { purge, restore } from './mutations.ts'

/** Rows examined per page: one or two milliseconds. */
const scanMax = 1000
/** Items removed per operation. */
const purgeMax = 100

export interface TrashOptions {
  readonly journal: Journal
  readonly clock: Clock
  readonly actor: (user: string) => Actor
  /** Time that items stay; 0: removals bypass the trash, and existing items are removed. */
  readonly keepMs: number
  /** True while the chore must not remove items. */
  readonly frozen: () => boolean
  /** Wakes the sweeper. */
  readonly removed: () => void
}

export function trashRoutes({ journal, actor, removed, clock }: TrashOptions): Route[] {
  const ownerOf = ({ user, root }: Actor, all: boolean | undefined): string | undefined => {
    if (all && !root)
      throw new GristmillError('EACCES', `${user} may read only their own trash; only the cluster's superuser may read others'`)
    return all ? undefined : user
  }
  return [
    route(protocol.list, ({ all, after }, { user }) => page(journal.view, ownerOf(actor(user), all), after)),
    route(protocol.restore, async ({ requestId, item, to, overwrite }, { user }) => {
      if (to !== undefined) checkFree(to)
      return { path: await journal.submit(restore, { requestId, item, to, overwrite, nowMs: clock.now(), ...actor(user) }) }
    }),
    route(protocol.empty, async ({ requestId, all, olderThanMs = 0, beforeMs = journal.nowMs() + 1 - olderThanMs, from }, { user }) => {
      const purged = await journal.submit(purge, { requestId, owner: ownerOf(actor(user), all), beforeMs, from, limit: purgeMax })
      removed()
      return { beforeMs, ...purged }
    }),
  ]
}

function page(view: View, owner: string | undefined, after: string | undefined): { items: TrashItem[]; next?: string } {
  const found: TrashItem[] = []
  let last: string | undefined
  let count = 0
  let text = 0
  for (const item of items(view, { before: after === undefined ? undefined : keyOfItem(after), reverse: true, limit: scanMax })) {
    count++
    last = item.name
    if (owner !== undefined && item.user !== owner) continue
    const described = describe(view, item)
    if (!described) continue
    found.push(described)
    text += described.from.length + described.path.length
    if (text > limits.pageTextMax) break
  }
  return { items: found, ...(count === scanMax || text > limits.pageTextMax) && { next: last! } }
}

/** Chore that removes expired items. */
export function purging({ journal, clock, keepMs, frozen, removed }: TrashOptions): Chore {
  return {
    name: 'empty the trash',
    everyMs: 1000,
    async work() {
      if (frozen()) return
      const beforeMs = journal.nowMs() + 1 - keepMs
      const isOld = (): boolean => {
        for (const { removedMs } of items(journal.view, { limit: 1 })) return removedMs < beforeMs
        return false
      }
      while (isOld()) {
        await journal.submit(purge, { beforeMs, limit: purgeMax })
        removed()
        await clock.yield()
      }
    },
  }
}
