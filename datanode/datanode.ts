// Datanode process: creates its parts (store, heartbeat, orders, transfers, tasks, scrub), starts and stops them in order; does no
// work itself. One port serves everything: calls, wires, plain HTTP, /healthz, /readyz and /metrics.
//
// Start: lock the homes, scan the blocks, open the port, register with the namenode, send a full report; then `start` returns.
// Stop: tell the namenode, finish transfers, end tasks, close the port, release the homes.

import { isLoopback } from '../src/base/loopback.ts'
import { FramePool } from '../src/block/ring.ts'
import { asError, GristmillError } from '../src/base/errors.ts'
import { storageId, systemUser, type Address, type ClusterId, type NodeId } from '../src/base/ids.ts'
import { limits } from '../src/base/limits.ts'
import type { Log } from '../src/ports/log.ts'
import type { Listening } from '../src/ports/net.ts'
import type { World } from '../src/ports/world.ts'
import { Authenticator, Credentials } from '../src/rpc/auth.ts'
import { Caller } from '../src/rpc/call.ts'
import { Registry } from '../src/rpc/metrics.ts'
import { logRoute } from '../src/rpc/logroute.ts'
import type { RpcServer } from '../src/rpc/serve.ts'
import { BlockTokens } from '../src/rpc/token.ts'
import { Wires } from '../src/file/wires.ts'
import { Contact } from './heartbeat/contact.ts'
import { EpochFence } from './heartbeat/epoch.ts'
import { PauseDetector } from './heartbeat/pausedetector.ts'
import { ClusterTime } from './heartbeat/time.ts'
import { openHomes, stampAll, type Homes } from './homes.ts'
import { exposeDatanode } from './metrics.ts'
import { DeletionGuard } from './orders/guard.ts'
import { OrderRunner } from './orders/orders.ts'
import { Changes } from './heartbeat/changes.ts'
import type { DatanodeConfig, DatanodeTimes } from './config.ts'
import { noRunner, type Tasks } from './ports.ts'
import { DiskMaintenance } from './scrub/diskmaintenance.ts'
import { openServer, serviceOf } from './server.ts'
import { BlockStore } from './store/store.ts'
import { Transfers } from './transfer/transfers.ts'

export class Datanode {
  readonly node: NodeId
  /** Rejects when the node cannot continue because its last disk has failed. The process must exit then. */
  readonly failed: Promise<never>
  readonly #world: World
  readonly #config: DatanodeConfig
  readonly #times: DatanodeTimes
  readonly #homes: Homes
  readonly #fail: (error: GristmillError) => void
  readonly #stopping = new AbortController()
  #cluster: ClusterId | undefined
  #caller: Caller
  #auth: Authenticator
  #server: RpcServer | undefined
  #listening: Listening | undefined
  #store: BlockStore | undefined
  #transfers: Transfers | undefined
  #contact: Contact | undefined
  #pauseDetector: PauseDetector | undefined
  #fence: EpochFence | undefined
  #guard: DeletionGuard | undefined
  #orders: OrderRunner | undefined
  #pool: FramePool | undefined
  #diskMaintenance: DiskMaintenance | undefined
  #tasks: Tasks | undefined
  #wires: Wires | undefined
  #stopped: Promise<void> | undefined

  /** Returns once the namenode knows this node and all its blocks; waits for a namenode that cannot be reached yet. */
  static async start(world: World, config: DatanodeConfig): Promise<Datanode> {
    const datanode = new Datanode(world, config, await openHomes(world, config.dirs, config.cluster))
    try {
      await datanode.#start()
      return datanode
    } catch (error) {
      await datanode.stop()
      throw error
    }
  }

  private constructor(world: World, config: DatanodeConfig, homes: Homes) {
    this.#world = world
    this.#config = config
    this.#times = { ...limits, ...config.times }
    this.#homes = homes
    this.node = homes.node
    this.#cluster = homes.cluster
    this.#caller = this.#newCaller()
    this.#auth = this.#newAuthenticator()
    const { promise, reject } = Promise.withResolvers<never>()
    promise.catch(() => {})
    this.failed = promise
    this.#fail = reject
  }

  /** Address under which clients and other nodes reach it. */
  get address(): Address { return this.#config.advertise ?? this.listening }
  /** Address on which it listens. */
  get listening(): Address { return this.#listening!.address }
  /** Its cluster. */
  get cluster(): ClusterId { return this.#cluster! }

  /**
   * Sends a heartbeat, or a full report, at once; each settles when the namenode has acknowledged it. Throws UNAVAILABLE without a
   * session.
   */
  beat(): Promise<void> { return this.#contact!.beat() }
  report(): Promise<void> { return this.#contact!.report() }
  /** Reads every block now and compares it with its checksums. */
  scrub(): Promise<void> { return this.#diskMaintenance!.scrub() }

  /** Throws AssertionFailed if sums, counts or indexes differ from a recount. For tests and simulations. */
  checkState(): void {
    for (const part of [this.#store, this.#tasks, this.#wires, this.#pool, this.#server, this.#guard, this.#orders]) part?.checkState()
  }

  stop(): Promise<void> { return this.#stopped ??= this.#stop() }
  async [Symbol.asyncDispose](): Promise<void> { await this.stop() }

  async #start(): Promise<void> {
    const { clock, disk, net, failpoints } = this.#world
    const { config, times } = { config: this.#config, times: this.#times }
    const log = this.#world.log.child({ node: this.node })
    const changes = new Changes()
    const { store, fence } = await this.#openStore(changes, log)
    this.#store = store
    const time = new ClusterTime(clock)
    const tokens = new BlockTokens({ ...this.#secrets, clock: time })
    const pool = this.#pool = new FramePool()
    const wires = this.#wires = new Wires({ net, clock, caller: { admission: path => this.#caller.admission(path) } })
    const tasks = this.#tasks = await this.#openTasks(store, time)
    const runner = tasks?.runner ?? noRunner
    const cluster = (): ClusterId => this.#cluster!
    const pauseDetector = this.#pauseDetector = new PauseDetector(clock, times.nodeDeadMs / 2)
    pauseDetector.start()
    const mayReceive = { mayWrite: () => this.#checkContact(), steadySince: (ms: number) => checkSteady(pauseDetector, ms) }
    const transfers = this.#transfers = new Transfers({
      node: this.node, store, wires, pool, log, clock, failpoints, tokens, cluster, ...mayReceive,
      segments: tasks?.segments, progressMs: times.progressTimeoutMs,
    })
    const registry = new Registry()
    config.processMetrics?.(registry)
    const server = (this.#server = openServer({
      store, tokens, clock, log, registry, ...mayReceive, auth: () => this.#auth,
      routes: [...tasks?.routes ?? [], logRoute({ server: this.node, tokens, logControl: this.#world.logControl })],
      fresh: () => this.#contact?.fresh ?? false,
    }))
    this.#listening = await net.listen(serviceOf(server, transfers), { host: config.host, port: config.port })
    const report = (): void => { this.#contact?.report().catch(() => {}) }
    const guard = this.#guard = new DeletionGuard({ clock, log, youngMs: times.deleteGuardMs, blocks: () => store.blocks, report })
    const orders = this.#orders = new OrderRunner({
      store, runner, guard, wires, pool, log, failpoints, cluster, progressMs: times.progressTimeoutMs, report,
      logControl: this.#world.logControl, failed: failure => this.#contact?.copyFailed(failure), signal: this.#stopping.signal,
    })
    const contact = (this.#contact = new Contact({
      caller: () => this.#caller, clock, random: this.#world.random, log, namenode: config.namenode, node: this.node, store, changes,
      runner, orders, fence, time, heartbeatMs: times.heartbeatMs, longPollMs: times.longPollMs, silentMs: times.nodeDeadMs / 2,
      done: () => ({ readBytes: transfers.bytesOut, writtenBytes: transfers.bytesIn, attempts: runner.ended }),
      transfers: () => transfers.active, refused: () => guard.refused, sessionBegan: upMs => guard.sessionBegan(upMs),
      address: this.address, rack: config.rack, host: config.hostName, pid: config.pid ?? 0, version: config.version ?? '',
      logControl: this.#world.logControl, settings: config.settings, cluster: () => this.#cluster, join: id => this.#join(id),
    }))
    const diskMaintenance = this.#diskMaintenance = await DiskMaintenance.open({
      store, disk, clock, log, busy: () => transfers.active > 0, tendMs: times.tendMs, periodMs: times.scrubPeriodMs,
      bytesPerSecond: config.scrubBytesPerSecond ?? limits.scrubBytesPerSecond,
    })
    exposeDatanode(registry, { store, transfers, contact, orders, guard, scrubbers: diskMaintenance.scrubbers })
    contact.start()
    diskMaintenance.start()
    await this.#untilRegistered(contact)
    tasks?.warm()
  }

  async #openStore(changes: Changes, log: Log): Promise<{ store: BlockStore; fence: EpochFence }> {
    const { clock, disk, failpoints } = this.#world
    const homes = this.#homes
    // Before the store is open, disk errors of the fence are dropped: the scan of the blocks runs into the same errors.
    let opened: BlockStore | undefined
    const fence = (this.#fence = await EpochFence.open(
      disk, homes.all.map(({ dir }) => dir),
      { clock, refused: (dir, error) => opened?.refused(dir, error) },
    ))
    const store = opened = await BlockStore.open({
      disk, clock, log, failpoints, trashKeepMs: this.#times.blockTrashKeepMs,
      dirs: homes.all.map(({ dir, id }) => ({ dir, id: storageId(id) })),
      unusable: homes.unusable,
      listener: {
        added: replica => changes.added(replica),
        removed: id => changes.removed(id),
        bad: id => changes.bad(id),
        failed: ({ dir }, error, last) => {
          log.error('a directory has failed; its blocks are no longer used', { error, dir })
          if (!last) return
          const advice = 'and this node has no other one; check the disk, then restart the node'
          this.#fail(
            new GristmillError('INTERNAL', `the disk of ${dir} has failed (${asError(error).message}), ${advice}`, { cause: error }),
          )
        },
      },
    })
    return { store, fence }
  }

  async #openTasks(store: BlockStore, time: ClusterTime): Promise<Tasks | undefined> {
    const config = this.#config
    if (config.slots === 0) return undefined
    const [{ dir }, ...others] = this.#homes.all as [Homes['all'][number], ...Homes['all']]
    return config.tasks?.({
      world: this.#world, node: this.node, dir, others: others.map(other => other.dir),
      namenode: config.namenode, host: config.hostName, rack: config.rack, slots: config.slots, memoryBytes: config.memoryBytes,
      memoryBytesAll: Math.max(config.slots * config.memoryBytes, config.memoryBytesAll ?? 0),
      drives: config.drives ?? limits.nodeDrivesMin,
      secret: config.secret, otherSecret: config.otherSecret, store, nowMs: () => time.now(), address: () => this.address,
      cluster: () => this.#cluster!, caller: () => this.#caller, session: () => this.#contact?.session ?? 0,
    })
  }

  /** Waits until the first registration and full report are done, or until the start is aborted. */
  async #untilRegistered(contact: Contact): Promise<void> {
    const { signal } = this.#config
    const giveUp = (): void => { void this.stop() }
    if (signal?.aborted) giveUp()
    signal?.addEventListener('abort', giveUp, { once: true })
    try {
      await contact.ready
    } finally {
      signal?.removeEventListener('abort', giveUp)
    }
  }

  #checkContact(): void {
    if (this.#contact?.fresh) return
    throw new GristmillError(
      'UNAVAILABLE',
      'this datanode has lost contact with its namenode and accepts no new blocks until it is back; use another one',
    )
  }

  /** Binds this node to the cluster that the namenode named; it can join no other cluster afterwards. */
  async #join(cluster: ClusterId): Promise<void> {
    if (this.#cluster === cluster) return
    await stampAll(this.#homes, cluster, this.#world)
    this.#cluster = cluster
    this.#caller = this.#newCaller()
    this.#auth = this.#newAuthenticator()
  }

  get #secrets(): Pick<DatanodeConfig, 'secret' | 'otherSecret'> {
    const { secret, otherSecret } = this.#config
    return { secret, otherSecret }
  }

  #newCaller(): Caller {
    const { clock, random, net } = this.#world
    const credentials = new Credentials({ ...this.#secrets, user: systemUser, cluster: this.#cluster ?? '', clock, random })
    return new Caller({ dispatcher: net.dispatcher, credentials, clock, random, who: this.node })
  }

  #newAuthenticator(): Authenticator {
    return new Authenticator({
      ...this.#secrets, cluster: this.#cluster ?? '', loopback: isLoopback(this.#config.host), clock: this.#world.clock,
    })
  }

  async #stop(): Promise<void> {
    const { clock, log } = this.#world
    const { drainMs } = this.#times
    const steps: Array<() => Promise<unknown> | undefined> = [
      () => this.#contact?.stop(),
      () => this.#fence?.stop(),
      async () => this.#guard?.stop(),
      async () => this.#server?.drain(),
      () => this.#transfers?.drain(drainMs, (ms, work) => clock.after(ms, work)),
      async () => this.#stopping.abort(new GristmillError('ABORTED', 'this datanode stops')),
      () => this.#tasks?.runner.stop(),
      () => this.#diskMaintenance?.stop(new GristmillError('ABORTED', 'this datanode stops')),
      async () => this.#pauseDetector?.stop(),
      () => this.#listening?.close(drainMs),
      async () => this.#wires?.close(),
      ...this.#homes.all.map(home => () => home.release()),
    ]
    for (const step of steps) {
      try {
        await step()
      } catch (error) {
        log.error('a part of the datanode did not stop cleanly', { error })
      }
    }
  }
}

/** Throws UNAVAILABLE if this process was paused since `ms`: a block received meanwhile is not acknowledged. */
function checkSteady(pauseDetector: PauseDetector, ms: number): void {
  if (pauseDetector.steadySince(ms)) return
  throw new GristmillError(
    'UNAVAILABLE',
    'this datanode was paused while it received the block, and may have been declared dead; send the block to another one',
  )
}
