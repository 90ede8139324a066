// What operators ask so that nothing is lost: fsck, safe mode, backups. Looking is for everybody; safe mode and backups
// concern all of the cluster, and are the superuser's.

import { GristmillError } from '../../src/base/errors.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import * as protocol from '../../src/protocol/safety.ts'
import type { BackupMade, SafeModeState } from '../../src/protocol/safety.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { Backups } from '../backup/backups.ts'
import type { Backup } from '../backup/shelf.ts'
import type { Keeper } from '../blocks/keeper.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import type { Registry } from '../nodes/registry.ts'
import { fsckPage } from './fsck.ts'

export interface SafetyOptions {
  readonly journal: Journal
  readonly keeper: Keeper
  readonly registry: Registry
  readonly clock: Clock
  readonly log: Log
  readonly backups: Backups
  /** Where backups go when nobody says. */
  readonly backupDir: string
  readonly actor: (user: string) => Actor
}

export function safetyRoutes({ journal, keeper, registry, clock, log, backups, backupDir, actor }: SafetyOptions): Route[] {
  const { view } = journal
  const { map, reports, safe } = keeper
  return [
    route(protocol.fsck, (request, { user }) => fsckPage({ view, map, isCorrupt: id => reports.isCorrupt(id), yield: () => clock.yield() }, actor(user), request)),
    route(protocol.safeMode, ({ action }, { user }): SafeModeState => {
      if (action !== 'get') {
        checkSuperuser(actor(user), `${action} safe mode`)
        log.warn(`safe mode: ${action}`, { user, on: safe.on, manual: safe.manual, present: map.present, blocks: view.counters.blocks })
        if (action === 'enter') keeper.enterSafeMode()
        else keeper.leaveSafeMode()
      }
      return { on: safe.on, manual: safe.manual, blocks: view.counters.blocks, present: map.present, awaited: registry.awaited().length }
    }),
    route(protocol.backup, async ({ dir }, { user }) => {
      checkSuperuser(actor(user), 'back up the metadata')
      return madeOf(await backups.take(dir ?? backupDir))
    }),
  ]
}

function checkSuperuser({ user, root }: Actor, what: string): void {
  if (!root) throw new GristmillError('EACCES', `${user} may not ${what}; that is for the user that the namenode runs as`, { details: { user } })
}

const madeOf = ({ path, cluster, namenode, epoch, seq, createdMs, rows, digest, files, directories, blocks, bytes }: Backup): BackupMade =>
  ({ path, cluster, namenode, epoch, seq, createdMs, rows, digest, files, directories, blocks, bytes })
