// Creates the rooms of a namenode, one per folder (journal, nodes, blocks, jobs, ...), and connects them. No background work is started
// here.

import type { BlockId, ClusterId } from '../src/base/ids.ts'
import { limits } from '../src/base/limits.ts'
import type { Store } from '../src/ports/store.ts'
import type { World } from '../src/ports/world.ts'
import { BlockTokens } from '../src/rpc/token.ts'
import { Recounts } from './admin/recounts.ts'
import { Authority } from './nodes/authority.ts'
import { Backups } from './backup/backups.ts'
import { BalanceControl } from './blocks/balancecontrol.ts'
import { Blocks } from './blocks/blocks.ts'
import type { NamenodeConfig } from './config.ts'
import { Jobs } from './jobs/jobs.ts'
import type { Journal } from './journal/journal.ts'
import type { Actor } from './journal/operation.ts'
import { NamespaceSweeper } from './namespace/sweeper.ts'
import { giveUp, hadNodes, knownNodes, noteRegistered } from './nodes/known.ts'
import { Maintenance } from './blocks/maintenance.ts'
import { NodeRegistry } from './nodes/registry.ts'
import { ReportIds } from './nodes/reportids.ts'
import type { Succession } from './nodes/succession.ts'
import type { NamenodeTimes } from './times.ts'
import type { TrashOptions } from './trash/routes.ts'
import { Lifetimes } from './writing/lifetimes.ts'

interface RoomsDeps {
  readonly world: World
  readonly cluster: ClusterId
  readonly id: string
  readonly times: NamenodeTimes
  readonly journal: Journal
  readonly store: Store
  readonly succeed: Awaited<ReturnType<typeof Succession.begin>>
}

export interface Rooms {
  readonly authority: Authority
  readonly succession: Succession
  readonly registry: NodeRegistry
  readonly reportIds: ReportIds
  readonly maintenance: Maintenance
  readonly blocks: Blocks
  readonly balancing: BalanceControl
  readonly lifetimes: Lifetimes
  readonly jobs: Jobs
  readonly sweeper: NamespaceSweeper
  readonly trash: TrashOptions
  readonly backups: Backups
  readonly recounts: Recounts
  readonly tokens: BlockTokens
  readonly actor: (user: string) => Actor
  /** Deletes blocks that no longer belong to a file. */
  readonly discard: (ids: readonly BlockId[]) => void
}

export async function openRooms({ world, cluster, id, times, journal, store, succeed }: RoomsDeps, config: NamenodeConfig): Promise<Rooms> {
  const { clock, random, log, failpoints, checked } = world
  const { view } = journal
  const { dir, secret, user, trashKeepMs = limits.trashKeepMs } = config
  const actor = actors(user)
  const tokens = new BlockTokens({ secret, clock: { now: () => journal.nowMs() } })
  const authority: Authority = new Authority(() => succession)

  const reportIds = new ReportIds()
  const registry = new NodeRegistry({ clock, log, random }, reportIds, times)
  const lifetimes = new Lifetimes({ clock: registry.awake, view, times })
  const blocks = new Blocks({
    view, registry, reportIds, tokens, clock, log, random, authority, nodeDeadMs: times.nodeDeadMs,
    isOpen: block => lifetimes.isOpen(block),
    onSettled: () => jobs.open(),
  })
  const discard = (ids: readonly BlockId[]): void => blocks.discard(ids)
  const frozen = (): boolean => authority.frozen
  const jobs = new Jobs({
    clock, failpoints, log, checked, journal, registry, tokens, actor, frozen, holders: block => blocks.holders(block),
    trash: trashKeepMs > 0, kept: config.kept,
  })
  const sweeper = new NamespaceSweeper({ journal, clock, log, gone: discard })
  // Repeated removals are answered in safe mode as well; they must not start the sweep then.
  const trash: TrashOptions = {
    journal, clock, actor, keepMs: trashKeepMs, frozen,
    removed: () => {
      if (!authority.frozen) sweeper.wake()
    },
  }
  const maintenance = new Maintenance({ journal, registry, blocks, clock, actor })
  const balancing = new BalanceControl({ journal, balancer: blocks.balancer, clock, log, actor })
  const backups = new Backups({
    world, store, journal, cluster, namenode: id, dir, plan: config.backups, unsure: () => authority.unsure !== undefined,
  })

  const recounts = new Recounts({ journal, clock })

  const known = [...knownNodes(view)]
  const succession = await succeed({
    awake: registry.awake, nodeDeadMs: times.nodeDeadMs,
    witnesses: known.filter(({ service }) => service?.state !== 'decommissioned').map(({ node }) => node),
    hadNodes: known.length > 0 || hadNodes(view),
    onBehind: () => blocks.halt(),
    onSure: async givenUp => {
      // Replies are no longer provisional: datanodes remember changes from now on.
      for (const { orders } of registry.all) orders.nudge()
      await noteRegistered({ journal, registry, clock })
      if (givenUp) {
        log.warn('datanodes that have not registered are given up, as an operator has confirmed', { nodes: givenUp })
        await giveUp({ journal, registry }, givenUp)
      }
      await jobs.start()
    },
  })
  for (const each of known) registry.expect(each)
  return {
    authority, succession, registry, reportIds, maintenance, blocks, balancing, lifetimes, jobs, sweeper, trash, backups, recounts, tokens,
    actor, discard,
  }
}

/** Maps users to actors; the name is all that is known of a user. Only `superuser` is not bound by permissions. */
function actors(superuser: string): (user: string) => Actor {
  const known = new Map<string, Actor>()
  return name => {
    const found = known.get(name)
    if (found) return found
    if (known.size > 10_000) known.clear()
    const actor = Object.freeze({ user: name, root: name === superuser })
    known.set(name, actor)
    return actor
  }
}
