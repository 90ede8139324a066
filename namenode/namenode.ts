// Namenode process: holds the namespace, places replicas and schedules jobs. `start` opens home, journal and rooms, then
// listens; the namenode is ready when it returns, and learns the locations of blocks from datanodes while it serves. `stop`
// refuses new calls, finishes running ones, closes journal and store, and releases the home. State and connections: rooms.ts;
// calls: routes.ts; background work: background.ts.

import { isLoopback } from '../src/base/address.ts'
import { hasCode, type GristmillError } from '../src/base/errors.ts'
import type { Address, ClusterId } from '../src/base/ids.ts'
import { openHome } from '../src/home/home.ts'
import type { Listening } from '../src/ports/net.ts'
import type { Store } from '../src/ports/store.ts'
import type { World } from '../src/ports/world.ts'
import { Authenticator } from '../src/rpc/auth.ts'
import { Registry as Metrics } from '../src/rpc/metrics.ts'
import { serve, type RpcServer } from '../src/rpc/serve.ts'
import { exposeNamenode, type StatusOptions } from './admin/status.ts'
import { backgroundOf } from './background.ts'
import { Chores } from './chores.ts'
import type { NamenodeConfig } from './config.ts'
import type { Journal } from './journal/journal.ts'
import { Succession } from './nodes/succession.ts'
import { identify, inspect, openJournal } from './open.ts'
import { openRooms, type Rooms } from './rooms.ts'
import { routesOf } from './routes.ts'
import { timesFrom, type NamenodeTimes } from './times.ts'

export type { NamenodeConfig } from './config.ts'

interface Parts { readonly journal: Journal; readonly store: Store; readonly succeed: Awaited<ReturnType<typeof Succession.begin>> }

export class Namenode {
  readonly id: string
  readonly cluster: ClusterId
  readonly #world: World
  readonly #times: NamenodeTimes
  #advertise: Address | undefined
  /** Called in reverse order. */
  readonly #ends: Array<() => unknown>
  #server: RpcServer | undefined
  #rooms: Rooms | undefined
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
      const cluster = await identify(home, journal, world, config.user)
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

  /** Address at which others reach it. */
  get address(): Address { return this.#advertise ?? this.listening }
  /** Set if this namenode is known to be behind its cluster, so that no answer can be trusted. */
  get behind(): GristmillError | undefined { return this.#rooms?.authority.behind }
  /** Address that it listens on. */
  get listening(): Address { return this.#listening!.address }

  /** Refuses new calls with UNAVAILABLE from now on; `stop` does the rest. */
  drain(): void { this.#server?.drain() }

  stop(): Promise<void> {
    this.drain()
    return this.#stopped ??= undo(this.#world, this.#ends)
  }

  async [Symbol.asyncDispose](): Promise<void> { await this.stop() }

  async #start(config: NamenodeConfig, { journal, store, succeed }: Parts): Promise<void> {
    this.#advertise = config.advertise
    const rooms = await openRooms(
      { world: this.#world, cluster: this.cluster, id: this.id, times: this.#times, journal, store, succeed },
      config,
    )
    this.#rooms = rooms
    await this.#begin(rooms)
    const server = this.#server = this.#serve(rooms, config, journal)
    const chores = this.#background(rooms, { journal, store })
    await this.#listen(server, config)
    // Stopped before the port closes: callers that wait for a job are answered, and do not keep the port open until their timeout.
    this.#ends.push(() => rooms.jobs.stop())
    chores.start()
    rooms.blocks.start()
  }

  /** Work that must be done before the first answer. */
  async #begin({ backups, succession }: Rooms): Promise<void> {
    await backups.start()
    await succession.look().catch((error: unknown) => {
      if (!hasCode(error, 'ENOSPC', 'UNAVAILABLE')) throw error
      this.#world.log.warn('the disk cannot be written now; jobs resume when it can', { error })
    })
  }

  #serve(rooms: Rooms, config: NamenodeConfig, journal: Journal): RpcServer {
    const { clock, log } = this.#world
    const { secret, host, defaults, dir, pid = 0, version = '' } = config
    const { registry, blocks, authority, jobs, backups } = rooms
    const about = { cluster: this.cluster, dir, pid, version, startedMs: Math.floor(clock.now()), address: () => this.address, defaults }
    const status: StatusOptions = {
      journal, registry, blocks, authority, clock, about, jobsRunning: () => jobs.running, backupMs: () => backups.newestMs,
    }
    const metrics = new Metrics()
    exposeNamenode(metrics, status)
    config.processMetrics?.(metrics)
    return serve({
      auth: new Authenticator({ secret, cluster: this.cluster, loopback: isLoopback(host), clock }),
      clock, log, registry: metrics, audit: config.audit, health: () => (authority.behind ? 'behind' : 'ok'),
      routes: routesOf(rooms, { world: this.#world, cluster: this.cluster, journal, status }, config),
    })
  }

  /** Starts chores; they stop before the rooms. */
  #background(rooms: Rooms, { journal, store }: Pick<Parts, 'journal' | 'store'>): Chores {
    const { clock, log } = this.#world
    const { backups, recounts, sweeper, blocks, registry } = rooms
    const chores = new Chores(
      clock, log,
      backgroundOf(rooms, { world: this.#world, journal, store, times: this.#times, stopped: () => this.#stopped !== undefined }),
    )
    this.#ends.push(
      () => backups.stop(), () => recounts.stop(), () => chores.stop(), () => sweeper.stop(), () => blocks.stop(), () => registry.stop(),
    )
    return chores
  }

  async #listen({ http, known }: RpcServer, { host, port }: NamenodeConfig): Promise<void> {
    this.#listening = await this.#world.net.listen({ http, known }, { host, port })
    this.#ends.push(() => this.#listening!.close(this.#times.drainMs))
  }
}

/** Runs the end functions, last first; each runs even if others fail. */
async function undo({ log }: World, ends: Array<() => unknown>): Promise<void> {
  for (let end = ends.pop(); end; end = ends.pop()) {
    try {
      await end()
    } catch (error) {
      log.error('a part of the namenode did not stop in good order', { error })
    }
  }
}
