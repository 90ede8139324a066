// The memory of a cluster, put together. `start`: home, journal, rooms, then the port; it is ready when it returns, and
// learns from datanodes where blocks lie while it serves. `stop`: refuses new calls, answers those at work, closes the
// journal and the store, gives the home back. What goes on between is in the rooms; here are only their connections.

import { hasCode, type GristmillError } from '../src/base/errors.ts'
import type { Address, BlockId, ClusterId } from '../src/base/ids.ts'
import { limits } from '../src/base/limits.ts'
import { openHome } from '../src/home/home.ts'
import type { Listening } from '../src/ports/net.ts'
import type { Store } from '../src/ports/store.ts'
import type { World } from '../src/ports/world.ts'
import { Authenticator } from '../src/rpc/auth.ts'
import { Registry as Metrics } from '../src/rpc/metrics.ts'
import { serve, type Route, type RpcServer } from '../src/rpc/serve.ts'
import { BlockTokens } from '../src/rpc/token.ts'
import type { Seen } from '../src/protocol/position.ts'
import { safeMode } from '../src/protocol/safety.ts'
import { gated } from './blocks/gate.ts'
import { safetyRoutes } from './admin/safety.ts'
import { exposeNamenode, statusRoutes, type StatusOptions } from './admin/status.ts'
import { Backups, type BackupPlan } from './backup/backups.ts'
import { BalanceControl } from './blocks/balancecontrol.ts'
import { Blocks } from './blocks/blocks.ts'
import { Chores, type Chore } from './chores.ts'
import { forgetting } from './journal/requests.ts'
import type { KeptBounds } from './jobs/store/jobindex.ts'
import { Jobs } from './jobs/jobs.ts'
import { reserving } from './jobs/publish/reservations.ts'
import type { LocalJournal } from './journal/local.ts'
import type { Actor } from './journal/operation.ts'
import { namespaceRoutes } from './namespace/routes.ts'
import { NamespaceSweeper } from './namespace/sweeper.ts'
import { nodesRoutes } from './nodes/routes.ts'
import { forgetGone, knownNodes, noteRegistered } from './nodes/known.ts'
import { Maintenance } from './blocks/maintenance.ts'
import { NodeRegistry } from './nodes/registry.ts'
import { Succession } from './nodes/succession.ts'
import { ReportIds } from './nodes/reportids.ts'
import { identify, inspect, openJournal } from './open.ts'
import { quotaRoutes } from './quotas/routes.ts'
import { counting } from './quotas/counter.ts'
import { snapshotRoutes } from './snapshots/routes.ts'
import { timesFrom, type NamenodeTimes } from './times.ts'
import { purging, trashRoutes, type TrashOptions } from './trash/routes.ts'
import { expireLeases, writingRoutes } from './writing/routes.ts'
import { xattrRoutes } from './xattrs/routes.ts'
import { Lifetimes } from './writing/lifetimes.ts'

/** Of the system itself; superuser beside the user that the namenode runs as. */
export const systemUser = 'gristmill'

export interface NamenodeConfig {
  readonly dir: string
  readonly host: string
  readonly port: number
  /** Where others reach it; where it listens unless told. */
  readonly advertise?: Address | undefined
  readonly secret: Buffer
  /** What a writer gets that does not say. */
  readonly defaults: { readonly replication: number; readonly blockBytes: number }
  /** The user that this process runs as: superuser, and owner of the root of a new cluster. */
  readonly user?: string | undefined
  readonly pid?: number | undefined
  readonly version?: string | undefined
  /** false: answers before the disk has it. Only the named test profile says so. */
  readonly sync?: boolean | undefined
  readonly times?: Partial<NamenodeTimes> | undefined
  /** How long removed things stay in the trash; 0: they do not go there. */
  readonly trashKeepMs?: number | undefined
  /** Bounds of what is kept of jobs that could not be published. */
  readonly kept?: KeptBounds | undefined
  /** Backups that it makes by itself; none unless told. */
  readonly backups?: BackupPlan | undefined
  /** What a datanode of the same process remembers of its namenodes, if it is known before that datanode registers. */
  readonly beside?: Seen | undefined
  /** The namenode cannot go on: its journal failed. The process must end, and can be started again. */
  readonly onFatal?: ((error: GristmillError) => void) | undefined
}

interface Parts { readonly journal: LocalJournal; readonly store: Store; readonly succeed: Awaited<ReturnType<typeof Succession.begin>> }

const isLoopback = (host: string): boolean => /^127\.\d+\.\d+\.\d+$|^localhost$|^\[?::1\]?$/.test(host)

export class Namenode {
  readonly id: string
  readonly cluster: ClusterId
  readonly #world: World
  readonly #times: NamenodeTimes
  #advertise: Address | undefined
  /** Undone in reverse order. */
  readonly #ends: Array<() => unknown>
  #server: RpcServer | undefined
  #succession: Succession | undefined
  #listening: Listening | undefined
  #stopped: Promise<void> | undefined

  /** Throws DIR_IN_USE, DIR_FOREIGN, CORRUPT, CONFIG_INVALID, ENOSPC, EADDRINUSE or EACCES. */
  static async start(world: World, config: NamenodeConfig): Promise<Namenode> {
    const times = timesFrom(config.times)
    const ends: Array<() => unknown> = []
    try {
      const home = await openHome(world, config.dir, { role: 'namenode' })
      ends.push(() => home.release())
      await inspect(world, config.dir)
      const store = await world.openStore(`${config.dir}/store`, { ...config.sync === false && { sync: false } })
      ends.push(() => store.close())
      const journal = await openJournal(world, config, store)
      ends.push(() => journal.close())
      const cluster = await identify(home, journal, world, config.user ?? systemUser)
      const succeed = await Succession.begin({ world, journal, dir: config.dir, beside: config.beside })
      const namenode = new Namenode(world, times, home.id, cluster, ends)
      await namenode.#start(config, { journal, store, succeed })
      return namenode
    } catch (error) {
      await undo(world, ends)
      throw error
    }
  }

  private constructor(world: World, times: NamenodeTimes, id: string, cluster: ClusterId, ends: Array<() => unknown>) {
    this.#world = world
    this.#times = times
    this.id = id
    this.cluster = cluster
    this.#ends = ends
  }

  /** Where others reach it. */
  get address(): Address { return this.#advertise ?? this.listening }
  /** Why nothing that it says can be trusted; undefined while it is not known to be behind its cluster. */
  get behind(): GristmillError | undefined { return this.#succession?.behind }
  /** Where it listens. */
  get listening(): Address { return this.#listening!.address }

  /** Refuses new calls from now on, with UNAVAILABLE; `stop` does the rest. */
  drain(): void { this.#server?.drain() }

  stop(): Promise<void> {
    this.drain()
    return this.#stopped ??= undo(this.#world, this.#ends)
  }

  async [Symbol.asyncDispose](): Promise<void> { await this.stop() }

  async #start(config: NamenodeConfig, { journal, store, succeed }: Parts): Promise<void> {
    const { clock, random, log, net, failpoints, checked } = this.#world
    const { view } = journal
    this.#advertise = config.advertise
    const times = this.#times
    const { defaults, secret, user, dir, pid = 0, version = '', trashKeepMs = limits.trashKeepMs } = config
    const ends = this.#ends
    const metrics = new Metrics()
    const nowMs = (): number => journal.nowMs()
    const tokens = new BlockTokens({ secret, clock: { now: nowMs } })
    const actor = actors(user)

    const reportIds = new ReportIds()
    const registry = new NodeRegistry({ clock, log, random }, reportIds, times)
    const lifetimes = new Lifetimes({ clock: registry.awake, view, times })
    const blocks = new Blocks({
      view, registry, reportIds, tokens, clock, log, random, nodeDeadMs: times.nodeDeadMs,
      isOpen: id => lifetimes.isOpen(id),
      doubt: () => succession.doubt,
      onSettled: () => jobs.open(),
    })
    const { map } = blocks
    const discard = (ids: readonly BlockId[]): void => blocks.discard(ids)
    const jobs = new Jobs({ clock, failpoints, log, checked, journal, registry, tokens, actor, holders: id => blocks.holders(id), halted: () => blocks.safe.held, trash: trashKeepMs > 0, kept: config.kept })
    const sweeper = new NamespaceSweeper({ journal, clock, log, gone: discard })
    const held = (): boolean => blocks.safe.held
    // Repeats of removals are answered in safe mode too, and take nothing apart then.
    const removed = (): void => { if (!held()) sweeper.wake() }
    const trash: TrashOptions = { journal, clock, actor, keepMs: trashKeepMs, held, removed }

    const maintenance = new Maintenance({ journal, registry, blocks, clock, actor })
    const balancing = new BalanceControl({ journal, balancer: blocks.balancer, clock, log, actor })

    const backups = new Backups({ world: this.#world, store, journal, cluster: this.cluster, namenode: this.id, dir, plan: config.backups, behind: () => distrusted() !== undefined })

    const known = [...knownNodes(view)]
    const succession = await succeed({
      awake: registry.awake, nodeDeadMs: times.nodeDeadMs, knownNodes: known.filter(({ service }) => service?.state !== 'decommissioned').map(({ node }) => node),
      onBehind: error => blocks.halt(error),
      onSure: async () => {
        // Replies are not provisional any more: what this namenode changes from now on, they remember.
        for (const { orders } of registry.all) orders.nudge()
        await noteRegistered({ journal, registry, clock })
        await jobs.start()
      },
    })
    this.#succession = succession
    /** Why what this namenode believes may not be acted on, or not yet. */
    const distrusted = (): GristmillError | undefined => succession.behind ?? succession.unsure
    for (const each of known) registry.expect(each)
    await backups.start()
    await succession.look().catch((error: unknown) => {
      if (!hasCode(error, 'ENOSPC', 'UNAVAILABLE')) throw error
      log.warn('the disk takes nothing now; jobs go on when it does', { error })
    })

    const about = { cluster: this.cluster, dir, pid, version, startedMs: Math.floor(clock.now()), address: () => this.address, defaults }
    const statusOptions: StatusOptions = { journal, registry, blocks, clock, about, jobsRunning: () => jobs.running, backupMs: () => backups.newestMs }
    exposeNamenode(metrics, statusOptions)
    // Of a namenode that is behind, what it says of files is as wrong as what it would do to them.
    const answerable = (routes: readonly Route[]): Route[] => gated(reserving(routes, { journal, outputs: jobs.outputs }), { journal, held, unsure: () => succession.unsure, behind: () => succession.behind })
    const safety = gated(safetyRoutes({ journal, blocks, registry, clock, log, backups, succession, backupDir: config.backups?.dir ?? `${dir}/backups`, actor }), { journal, held })
    const server = this.#server = serve({
      auth: new Authenticator({ secret, cluster: this.cluster, loopback: isLoopback(config.host), clock }),
      clock, log, registry: metrics,
      routes: [
        ...answerable(namespaceRoutes({
          journal, view, map, registry, tokens, random, clock, log, defaults, actor, trashKeepMs, removed,
          suspect: (id, address, message) => blocks.suspect(id, address, message),
        })),
        ...answerable(trashRoutes(trash)),
        ...answerable(xattrRoutes({ journal, actor })),
        ...answerable(quotaRoutes({ journal, clock, actor })),
        ...answerable(snapshotRoutes({ journal, clock, actor, removed })),
        ...answerable(writingRoutes({ journal, registry, map, lifetimes, tokens, clock, random, defaults, actor, discard })),
        ...nodesRoutes({ cluster: this.cluster, succession, journal, registry, reportIds, reports: blocks.reports, clock, nowMs, taken: (node, orders) => blocks.taken(node, orders), copyFailed: (node, failure) => blocks.repair.failed(node, failure) }),
        ...statusRoutes(statusOptions),
        ...gated([...maintenance.routes, ...balancing.routes], { journal, unsure: () => succession.unsure, behind: () => succession.behind }),
        ...answerable(jobs.routes),
        ...safety.filter(({ message }) => message === safeMode),
        ...gated(safety.filter(({ message }) => message !== safeMode), { journal, unsure: () => succession.unsure, behind: () => succession.behind }),
      ],
    })
    const ifTrusted = (chore: Chore): Chore => ({ ...chore, work: () => { if (!distrusted()) return chore.work() } })
    const chores = new Chores(clock, log, [
      { name: 'look who is silent', everyMs: Math.min(250, times.nodeStaleMs / 4), work: () => registry.check() },
      ...blocks.chores,
      ifTrusted(maintenance.chore),
      ifTrusted(balancing.chore),
      { name: 'end silent leases', everyMs: 1000, work: () => { if (!held()) return expireLeases({ journal, lifetimes, discard }) } },
      purging(trash),
      counting({ journal, clock, held, stopped: () => this.#stopped !== undefined, removed }),
      { name: 'take apart what was removed', everyMs: 500, work: removed },
      ifTrusted({ name: 'forget nodes that are gone', everyMs: 60_000, work: () => forgetGone({ journal, registry, clock }) }),
      ifTrusted(forgetting(journal, clock)),
      { name: 'find out whether this is the last namenode', everyMs: 250, work: () => succession.look() },
      backups.chore,
      { name: 'give back memory', everyMs: 500, work: () => store.relax() },
    ])
    ends.push(() => backups.stop(), () => chores.stop(), () => sweeper.stop(), () => blocks.stop(), () => registry.stop())

    this.#listening = await net.listen({ http: server.http, known: server.known }, { host: config.host, port: config.port })
    ends.push(() => this.#listening!.close(times.drainMs))
    // Before the port: whoever waits for a job is answered, and does not hold the port open until the time for it is over.
    ends.push(() => jobs.stop())
    chores.start()
    blocks.start()
  }
}

/** Who a call is made for: nothing else is known of people here. */
function actors(user: string | undefined): (user: string) => Actor {
  const known = new Map<string, Actor>()
  return name => {
    const found = known.get(name)
    if (found) return found
    if (known.size > 10_000) known.clear()
    const actor = Object.freeze({ user: name, root: name === systemUser || name === user })
    known.set(name, actor)
    return actor
  }
}

/** Ends what was begun, the last first; each gets its chance, whatever the others do. */
async function undo({ log }: World, ends: Array<() => unknown>): Promise<void> {
  for (let end = ends.pop(); end; end = ends.pop()) {
    try {
      await end()
    } catch (error) {
      log.error('a part of the namenode did not stop in good order', { error })
    }
  }
}
