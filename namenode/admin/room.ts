// Room (namenode/room.ts) of status, metrics, and the messages of operators that concern the whole cluster.

import type { Address, ClusterId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { LevelControl, Log } from '../../src/ports/log.ts'
import type { ServerSetting } from '../../src/protocol/server.ts'
import type { BlockTokens } from '../../src/rpc/token.ts'
import type { BackupPlan, Backups } from '../backup/backups.ts'
import type { Balancer } from '../balance/balancer.ts'
import type { Blocks } from '../blocks/blocks.ts'
import type { Jobs } from '../jobs/jobs.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import type { Authority } from '../succession/authority.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import type { Succession } from '../succession/succession.ts'
import { answered, room } from '../room.ts'
import { Recounts } from './recounts.ts'
import { serverRoutes } from './servers.ts'
import { safetyRoutes } from './safetyroutes.ts'
import { exposeNamenode, statusRoutes } from './status.ts'

interface AdminNeeds {
  readonly world: { readonly clock: Clock; readonly log: Log; readonly logControl?: LevelControl | undefined }
  readonly config: {
    readonly dir: string
    readonly backups?: BackupPlan | undefined
    readonly pid?: number | undefined
    readonly version?: string | undefined
    readonly settings?: readonly ServerSetting[] | undefined
    readonly defaults: { readonly replication: number; readonly blockBytes: number }
  }
  readonly cluster: ClusterId
  /** Known once the namenode listens. */
  readonly address: () => Address
  readonly journal: Journal
  readonly actor: (user: string) => Actor
  readonly tokens: BlockTokens
  readonly registry: NodeRegistry
  readonly succession: Succession
  readonly authority: Authority
  readonly backups: Backups
  readonly blocks: Blocks
  readonly balancer: Balancer
  readonly jobs: Jobs
}

export const adminRoom = room({
  name: 'admin',
  mutations: [],
  open({
    world, config, cluster, address, journal, actor, tokens, registry, succession, authority, backups, blocks, balancer, jobs,
  }: AdminNeeds) {
    const { clock, log } = world
    const { dir, backups: plan, pid = 0, version = '', defaults } = config
    const recounts = new Recounts({ journal, clock })
    const about = { cluster, dir, pid, version, startedMs: Math.floor(clock.now()), address, defaults }
    const status = {
      journal, registry, blocks, balancer, authority, clock, about, jobsRunning: () => jobs.running, backupMs: () => backups.newestMs,
    }
    return {
      routes: [
        ...safetyRoutes({
          journal, blocks, registry, clock, log, backups, recounts, succession, authority, backupDir: plan?.dir ?? `${dir}/backups`, actor,
        }),
        ...answered('always', statusRoutes(status)),
        ...answered('always', serverRoutes({
          registry, actor, log, tokens, logControl: world.logControl, about: { version, address, settings: config.settings },
        })),
      ],
      expose: metrics => exposeNamenode(metrics, status),
      stop: () => recounts.stop(),
    }
  },
})
