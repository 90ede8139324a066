// Namenode process: holds the namespace, places replicas and schedules jobs. `start` opens home, journal and rooms, then
// listens; the namenode is ready when it returns, and learns the locations of blocks from datanodes while it serves. `stop`
// refuses new calls, finishes running ones, stops the rooms, closes journal and store, and releases the home. What it answers and does is
// declared by its rooms (rooms.ts, room.ts).

import { isLoopback } from '../src/base/loopback.ts'
import type { GristmillError } from '../src/base/errors.ts'
import type { Address, ClusterId } from '../src/base/ids.ts'
import { limits } from '../src/base/limits.ts'
import { openHome } from '../src/home/home.ts'
import type { Listening } from '../src/ports/net.ts'
import type { Store } from '../src/ports/store.ts'
import type { World } from '../src/ports/world.ts'
import { Authenticator } from '../src/rpc/auth.ts'
import { Registry as Metrics } from '../src/rpc/metrics.ts'
import { serve, type RpcServer } from '../src/rpc/serve.ts'
import { BlockTokens } from '../src/rpc/token.ts'
import { Chores } from './chores.ts'
import type { NamenodeConfig } from './config.ts'
import type { Journal } from './journal/journal.ts'
import { actors } from './journal/actors.ts'
import { tables } from './journal/keys.ts'
import { identify, inspect, openJournal } from './open.ts'
import { rooms as allRooms, type Rooms } from './rooms.ts'
import { timesFrom, type NamenodeTimes } from './times.ts'

export type { NamenodeConfig } from './config.ts'

interface Parts { readonly journal: Journal; readonly store: Store }

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
      const store = await world.openStore(`${config.dir}/store`, { tables, ...config.sync === false && { sync: false } })
      ends.push(() => store.close())
      const journal = await openJournal(world, config, store)
      ends.push(() => journal.close())
      const cluster = await identify(home, journal, world, config.user)
      const namenode = new Namenode(world, times, home.id, cluster, ends)
      await namenode.#start(config, { journal, store })
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
  get behind(): GristmillError | undefined { return this.#rooms?.have.authority.behind }
  /** Address that it listens on. */
  get listening(): Address { return this.#listening!.address }

  /** Refuses new calls with UNAVAILABLE from now on; `stop` does the rest. */
  drain(): void { this.#server?.drain() }

  stop(): Promise<void> {
    this.drain()
    return this.#stopped ??= undo(this.#world, this.#ends)
  }

  /** Throws AssertionFailed if sums, counts or indexes differ from a recount. For tests and simulations. */
  checkState(): void {
    this.#server?.checkState()
    for (const room of this.#rooms?.all ?? []) room.checkState?.()
  }

  async [Symbol.asyncDispose](): Promise<void> { await this.stop() }

  async #start(config: NamenodeConfig, { journal, store }: Parts): Promise<void> {
    const { secret, otherSecret } = config
    this.#advertise = config.advertise
    const rooms = this.#rooms = await allRooms.open({
      world: this.#world, config, times: this.#times, trashKeepMs: config.trashKeepMs ?? limits.trashKeepMs,
      inlineBytes: config.inlineBytes ?? 0,
      versionBounds: {
        keep: config.versions?.keep ?? limits.versionsKept, keepMs: config.versions?.keepMs ?? limits.versionKeepMs,
      },
      cluster: this.cluster,
      id: this.id, address: () => this.address, journal, store, actor: actors(config.user),
      tokens: new BlockTokens({ secret, otherSecret, clock: { now: () => journal.nowMs() } }),
    })
    for (const room of rooms.all) await room.begin?.()
    const server = this.#server = this.#serve(rooms, config)
    for (const room of rooms.all) if (room.stop) this.#ends.push(() => room.stop!())
    const chores = new Chores(this.#world.clock, this.#world.log, rooms.chores)
    this.#ends.push(() => chores.stop())
    await this.#listen(server, config)
    for (const room of rooms.all) if (room.quit) this.#ends.push(() => room.quit!())
    chores.start()
    for (const room of rooms.all) room.start?.()
  }

  #serve(rooms: Rooms, { secret, otherSecret, host, audit, processMetrics }: NamenodeConfig): RpcServer {
    const { clock, log } = this.#world
    const { authority, blocks } = rooms.have
    const health = () => (authority.behind ? 'behind' : 'ok')
    const metrics = new Metrics()
    for (const room of rooms.all) room.expose?.(metrics)
    processMetrics?.(metrics)
    return serve({
      auth: new Authenticator({ secret, otherSecret, cluster: this.cluster, loopback: isLoopback(host), clock }),
      clock, log, registry: metrics, audit, health, ready: () => (blocks.safe.on ? 'safe mode' : health()),
      routes: rooms.routes,
    })
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
