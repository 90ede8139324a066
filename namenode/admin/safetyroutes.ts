// Routes for operators that protect data: fsck, safe mode, backups, and losses of a recovery. Every user may run fsck; the
// rest concerns the whole cluster and is for the superuser (recounts too).

import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import * as protocol from '../../src/protocol/safety.ts'
import type { AllowedDeletions, BackupMade, SafeModeState } from '../../src/protocol/safety.ts'
import { route } from '../../src/rpc/serve.ts'
import type { Backups } from '../backup/backups.ts'
import type { Backup } from '../backup/backupdir.ts'
import type { Blocks } from '../blocks/blocks.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import { checkSuperuser } from '../namespace/access.ts'
import type { Succession } from '../succession/succession.ts'
import type { Authority } from '../succession/authority.ts'
import { answered, type RoomRoute } from '../room.ts'
import type { Recounts } from './recounts.ts'
import { fsckPage } from './fsck.ts'
import { lostRoutes } from './lost.ts'

interface SafetyOptions {
  readonly journal: Journal
  readonly blocks: Blocks
  readonly registry: NodeRegistry
  readonly clock: Clock
  readonly log: Log
  readonly backups: Backups
  readonly recounts: Recounts
  readonly succession: Pick<Succession, 'believe'>
  readonly authority: Authority
  /** Default directory of backups. */
  readonly backupDir: string
  readonly actor: (user: string) => Actor
}

export function safetyRoutes({
  journal, blocks, registry, clock, log, backups, recounts, succession, authority, backupDir, actor,
}: SafetyOptions): RoomRoute[] {
  const { view } = journal
  const { map, reports, safe } = blocks
  return [
    route(protocol.fsck, (request, { user }) =>
      fsckPage({ view, map, isCorrupt: id => reports.isCorrupt(id), yield: () => clock.yield() }, actor(user), request),
    ),
    // It reads the whole state, and names directories that its caller may not see.
    route(protocol.recount, ({ recount }, { user }) => {
      checkSuperuser(actor(user), 'compare the totals of the namespace')
      return recounts.ask(recount)
    }),
    // Its callers leave the states in which others are refused.
    ...answered('always', [route(protocol.safeMode, async ({ action }, { user }): Promise<SafeModeState> => {
      if (action !== 'get') {
        checkSuperuser(actor(user), `${action} safe mode`)
        log.warn(`safe mode: ${action}`, { user, on: safe.on, state: authority.state, present: map.present, blocks: view.counters.blocks })
        if (action === 'enter') blocks.enterSafeMode()
        else {
          await succession.believe()
          blocks.leaveSafeMode()
        }
      }
      return {
        on: safe.on, manual: authority.manual,
        ...(authority.behind && { behind: authority.behind.message }),
        ...(authority.doubt && { doubt: authority.doubt.message }),
        blocks: view.counters.blocks, present: map.present, awaited: registry.awaited().length,
      }
    })]),
    route(protocol.backup, async ({ dir }, { user }) => {
      checkSuperuser(actor(user), 'back up the metadata')
      // Its state must not be stored among the backups of its cluster.
      if (authority.unsure) throw authority.unsure
      return madeOf(await backups.take(dir ?? backupDir))
    }),
    route(protocol.allowDeletions, (_, { user }): AllowedDeletions => {
      checkSuperuser(actor(user), 'allow datanodes to remove so much')
      const nodes = [...registry.all].filter(node => node.serves && node.refused > 0)
      log.warn('an operator has allowed the deletions that datanodes had refused', {
        user,
        nodes: nodes.map(({ node, refused }) => ({ node, refused })),
      })
      for (const { orders } of nodes) orders.push({ kind: 'trust' })
      return { nodes: nodes.map(({ node, address, refused }) => ({ node, address, refused })) }
    }),
    ...lostRoutes({ journal, blocks, log, actor }),
  ]
}

const madeOf = ({ path, cluster, namenode, epoch, seq, createdMs, rows, digest, files, directories, blocks, bytes }: Backup): BackupMade =>
  ({ path, cluster, namenode, epoch, seq, createdMs, rows, digest, files, directories, blocks, bytes })
