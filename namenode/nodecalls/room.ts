// Room that answers datanodes. It is the last one that is opened: their registrations decide whether this namenode is the latest, and then
// the rooms that listen to registry and succession take over what the last namenode left.

import { hasCode } from '../../src/base/errors.ts'
import type { ClusterId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Blocks } from '../blocks/blocks.ts'
import type { Journal } from '../journal/journal.ts'
import { answered, room } from '../room.ts'
import type { Authority } from '../succession/authority.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import type { ReportIds } from '../nodes/reportids.ts'
import { nodesRoutes } from './routes.ts'
import type { Succession } from '../succession/succession.ts'

interface NodeCallsNeeds {
  readonly world: { readonly clock: Clock; readonly log: Log }
  readonly cluster: ClusterId
  readonly journal: Journal
  readonly registry: NodeRegistry
  readonly reportIds: ReportIds
  readonly succession: Succession
  readonly authority: Authority
  readonly blocks: Blocks
  readonly hosts: { admit(place: { readonly node: string; readonly address: string; readonly host: string }): void }
}

export const nodeCallsRoom = room({
  name: 'nodecalls',
  mutations: [],
  open: ({ world: { clock, log }, cluster, journal, registry, reportIds, succession, authority, blocks, hosts }: NodeCallsNeeds) => ({
    // Registrations decide the authority.
    routes: answered('always', nodesRoutes({
      cluster, succession, authority, journal, registry, reportIds, reports: blocks.reports, clock, nowMs: () => journal.nowMs(),
      admit: place => hosts.admit(place),
      taken: (node, orders) => blocks.taken(node, orders),
      copyFailed: (node, failure) => blocks.repair.failed(node, failure),
    })),
    chores: [{ name: 'check the succession', everyMs: 250, work: () => succession.look() }],
    async begin() {
      await succession.look().catch((error: unknown) => {
        if (!hasCode(error, 'ENOSPC', 'UNAVAILABLE')) throw error
        log.warn('the disk cannot be written now; jobs resume when it can', { error })
      })
    },
  }),
})
