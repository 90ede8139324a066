// Room of versions of outputs: the messages `version.*`, the chore that frees expired versions, and the check that refuses
// requests to change an older version with EROFS, before the journal.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Chore } from '../chores.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { find } from '../namespace/asof.ts'
import { room, type RoomRoute } from '../room.ts'
import { expire, versionMutations } from './mutations.ts'
import { versionRoutes, type VersionsOptions } from './routes.ts'
import { expiries } from './rows.ts'

interface VersionsNeeds {
  readonly world: { readonly clock: Clock }
  readonly versionBounds: { readonly keep: number; readonly keepMs: number }
  readonly journal: Journal
  readonly actor: (user: string) => Actor
  readonly authority: { readonly frozen: boolean }
  readonly removed: () => void
}

export const versionsRoom = room({
  name: 'versions',
  mutations: versionMutations,
  open({ world: { clock }, versionBounds: bounds, journal, actor, authority, removed }: VersionsNeeds) {
    const options = { journal, clock, actor, bounds, removed }
    return {
      routes: versionRoutes(options),
      chores: [expiring(options, () => authority.frozen)],
      gate: route => explaining(route, journal.view, actor),
    }
  },
})

/** Chore that frees versions whose time is over, by the journal's clock. */
function expiring({ journal, clock, bounds: { keepMs }, removed }: VersionsOptions, frozen: () => boolean): Chore {
  return {
    name: 'free expired versions',
    everyMs: 1000,
    async work() {
      if (frozen() || keepMs === 0) return
      const beforeMs = Math.floor(journal.nowMs()) + 1 - keepMs
      const isDue = (): boolean => {
        for (const { replacedMs } of expiries(journal.view, 1)) return replacedMs < beforeMs
        return false
      }
      while (isDue()) {
        await journal.submit(expire, { beforeMs })
        removed()
        await clock.yield()
      }
    },
  }
}

/** A change below a version finds no name there: the error says that versions never change. */
function explaining(route: RoomRoute, view: View, actor: (user: string) => Actor): RoomRoute {
  if (!route.message.mutation || route.message.callers !== 'user') return route
  return {
    ...route,
    handler: async (request, context) => {
      try {
        return await route.handler(request, context)
      } catch (error) {
        if (hasCode(error, 'ENOENT')) checkNoVersion(view, actor(context.user), (error as GristmillError).details?.['path'])
        throw error
      }
    },
  }
}

/** Throws EROFS if the path leads into a version. */
function checkNoVersion(view: View, actor: Actor, path: unknown): void {
  if (typeof path !== 'string' || !path.includes('@') || view.counters.versions === 0) return
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
    const at = path.slice(0, end)
    try {
      if (find(view, actor, at).number === undefined) continue
    } catch {
      continue
    }
    throw new GristmillError(
      'EROFS',
      `${path} cannot be changed: ${at} is a version of an output, and a version never changes; copy it, ` +
      'roll back to it ("gristmill rollback"), or free all of it ("gristmill history rm")',
      { details: { path } },
    )
  }
}
