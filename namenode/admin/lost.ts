// Routes for the results of a lossy recovery: ids that lost operations may have given out, and blocks that datanodes hold
// under them. For the superuser only. Released blocks become garbage.

import type { Log } from '../../src/ports/log.ts'
import * as protocol from '../../src/protocol/safety.ts'
import type { LostState } from '../../src/protocol/safety.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { Blocks } from '../blocks/blocks.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import { lostBlocks, releaseLost } from '../succession/recovered.ts'
import { checkSuperuser } from '../namespace/access.ts'

export function lostRoutes({
  journal, blocks, log, actor,
}: {
  journal: Journal
  blocks: Blocks
  log: Log
  actor: (user: string) => Actor
}): Route[] {
  const { view } = journal
  const now = (): LostState => ({ ranges: lostBlocks(view), nodes: blocks.reports.unknown.summary(view) })
  return [
    route(protocol.lost, (_, { user }) => {
      checkSuperuser(actor(user), 'list lost blocks')
      return now()
    }),
    route(protocol.releaseLost, async ({ requestId }, { user }) => {
      checkSuperuser(actor(user), 'release blocks')
      const before = now()
      await journal.submit(releaseLost, { requestId })
      if (before.ranges.length > 0)
        log.warn('blocks of lost operations have been released: they are garbage now', { user, ranges: before.ranges, nodes: before.nodes })
      blocks.releaseLost()
      return before
    }),
  ]
}
