// All routes of a namenode, room by room, with the checks of the authority.

import type { ClusterId } from '../src/base/ids.ts'
import type { World } from '../src/ports/world.ts'
import { safeMode } from '../src/protocol/safety.ts'
import type { Route } from '../src/rpc/serve.ts'
import { safetyRoutes } from './admin/safetyroutes.ts'
import { statusRoutes, type StatusOptions } from './admin/status.ts'
import type { NamenodeConfig } from './config.ts'
import { reserving } from './jobs/publish/reservations.ts'
import type { Journal } from './journal/journal.ts'
import { namespaceRoutes } from './namespace/routes.ts'
import { nodesRoutes } from './nodes/routes.ts'
import { quotaRoutes } from './quotas/routes.ts'
import type { Rooms } from './rooms.ts'
import { snapshotRoutes } from './snapshots/routes.ts'
import { trashRoutes } from './trash/routes.ts'
import { writingRoutes } from './writing/routes.ts'
import { xattrRoutes } from './xattrs/routes.ts'

interface RoutesDeps {
  readonly world: World
  readonly cluster: ClusterId
  readonly journal: Journal
  readonly status: StatusOptions
}

export function routesOf(
  rooms: Rooms,
  { world: { clock, log, random }, cluster, journal, status }: RoutesDeps,
  { defaults, dir, backups: plan }: NamenodeConfig,
): Route[] {
  const {
    authority, succession, registry, reportIds, maintenance, blocks, balancing, lifetimes, jobs, trash, backups, recounts, tokens, actor,
    discard,
  } = rooms
  const { view } = journal
  const { map } = blocks
  const { removed } = trash
  const names = [
    ...namespaceRoutes({
      journal, view, map, registry, tokens, random, clock, log, defaults, actor, removed, trashKeepMs: trash.keepMs,
      suspect: (id, address, message) => blocks.suspect(id, address, message),
    }),
    ...trashRoutes(trash), ...xattrRoutes({ journal, actor }), ...quotaRoutes({ journal, clock, actor }),
    ...snapshotRoutes({ journal, clock, actor, removed }),
    ...writingRoutes({ journal, registry, map, lifetimes, tokens, clock, random, defaults, actor, discard }),
    ...jobs.routes,
  ]
  const safety = safetyRoutes({
    journal, blocks, registry, clock, log, backups, recounts, succession, authority, backupDir: plan?.dir ?? `${dir}/backups`, actor,
  })
  const isSafeMode = ({ message }: Route): boolean => message === safeMode
  return [
    ...authority.guard(reserving(names, { journal, outputs: jobs.outputs, actor }), { journal }),
    ...authority.guard(
      safety.filter(route => !isSafeMode(route)), { journal },
    ),
    ...authority.guard([...maintenance.routes, ...balancing.routes], { journal, underSafeMode: true }),
    // Not guarded: registrations of datanodes decide the authority.
    ...nodesRoutes({
      cluster, succession, authority, journal, registry, reportIds, reports: blocks.reports, clock, nowMs: () => journal.nowMs(),
      taken: (node, orders) => blocks.taken(node, orders),
      copyFailed: (node, failure) => blocks.repair.failed(node, failure),
    }),
    ...statusRoutes(status), ...safety.filter(isSafeMode),
  ]
}
