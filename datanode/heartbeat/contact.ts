// Contact of a datanode with its namenode: registers, runs a session, and registers again when the session ends, until the process
// stops. Retries while the namenode cannot be reached. A namenode of another cluster or with another secret is an error while the node
// starts, and a log event later.

import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import type { Address, ClusterId } from '../../src/base/ids.ts'
import { backoffMs } from '../../src/base/backoff.ts'
import type { LevelControl } from '../../src/ports/log.ts'
import { nodeFeatures, register } from '../../src/protocol/heartbeat.ts'
import type { CopyFailed } from '../../src/protocol/order.ts'
import type { ServerSetting } from '../../src/protocol/server.ts'
import { Session, type SessionTools } from './session.ts'

export interface ContactOptions extends Omit<SessionTools, 'contact'> {
  readonly address: Address
  readonly rack: string
  readonly host: string
  readonly pid: number
  readonly version: string
  readonly logControl: LevelControl | undefined
  readonly settings: readonly ServerSetting[] | undefined
  /** The cluster of this node; undefined before its first registration. */
  readonly cluster: () => ClusterId | undefined
  /** Binds this node to the cluster. */
  readonly join: (cluster: ClusterId) => Promise<void>
  /** Time without contact after which the node refuses new blocks. */
  readonly silentMs: number
  /** A session begins with a namenode that has been running for `upMs`. */
  readonly sessionBegan: (upMs: number) => void
}

/** Limit of the schema; attempts beyond it are reported with their progress. */
const attemptsMax = 1000
const backoff = { firstMs: 100, maxMs: 2_000 }
/** Shortest time between two warnings about lost contact. */
const complainMs = 10_000

export class Contact {
  readonly #options: ContactOptions
  readonly #stopping = new AbortController()
  readonly #ready = Promise.withResolvers<void>()
  #session: Session | undefined
  #contactMs: number | undefined
  #complainedMs = Number.NEGATIVE_INFINITY
  #running: Promise<void> | undefined
  /** Number of registrations, for metrics. */
  sessions = 0

  constructor(options: ContactOptions) {
    this.#options = options
    this.#ready.promise.catch(() => {})
  }

  /** Resolves when the namenode knows this node and its blocks; rejects if it refuses the node, or the node stops before. */
  get ready(): Promise<void> { return this.#ready.promise }

  /**
   * True if the namenode has answered within `silentMs`, so that it has not declared this node dead. A reply counts from the time of
   * its request: one that arrived while this process was paused proves nothing about now.
   */
  get fresh(): boolean {
    return this.#contactMs !== undefined && this.#options.clock.mono() - this.#contactMs < this.#options.silentMs
  }

  /** The number of the session; 0 while there is none. */
  get session(): number { return this.#session?.id ?? 0 }

  start(): void { this.#running = this.#run() }

  /** Sends a full report; settles when it has arrived. Throws UNAVAILABLE without a session. */
  async report(): Promise<void> { await this.#live().report() }

  /** Sends a heartbeat now. Throws UNAVAILABLE without a session. */
  async beat(): Promise<void> { await this.#live().beat() }

  #live(): Session {
    if (!this.#session)
      throw new GristmillError('UNAVAILABLE', 'this datanode has no session with its namenode now; it registers when the namenode is back')
    return this.#session
  }

  copyFailed(failure: CopyFailed): void { void this.#session?.copyFailed(failure) }

  /** Tells the namenode that this node stops, and ends the session. */
  async stop(): Promise<void> {
    await this.#session?.leave()
    const reason = new GristmillError('ABORTED', 'this datanode stops')
    this.#stopping.abort(reason)
    this.#ready.reject(reason)
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    const { clock, random, log } = this.#options
    let ready = false
    for (let failures = 0; !signal.aborted;) {
      try {
        const session = await this.#register(signal)
        failures = 0
        this.#session = session
        session.reported.then(() => { ready = true; this.#ready.resolve() }, () => {})
        await session.run(signal)
      } catch (thrown) {
        this.#session = undefined
        if (signal.aborted) return
        const error = asError(thrown)
        if (!ready && hasCode(error, 'WRONG_CLUSTER', 'UNAUTHENTICATED', 'DIR_FOREIGN', 'STALE_EPOCH', 'EINVAL', 'CONFIG_INVALID'))
          return this.#ready.reject(error)
        if (error.code === 'UNREGISTERED') log.info('the namenode does not know this session; registering again')
        else this.#complain(error)
        try {
          await clock.sleep(backoffMs(++failures, backoff, random), signal)
        } catch {
          return
        }
      }
    }
  }

  async #register(signal: AbortSignal): Promise<Session> {
    const {
      caller, namenode, node, address, rack, host, pid, version, cluster, store, runner, fence, join, sessionBegan, time, clock, log,
      logControl, settings,
    } = this.#options
    const known = cluster()
    const askedMs = clock.mono()
    const reply = await caller().call(
      namenode, register,
      {
        node, address, rack, host, pid, version, slots: runner.slots, storages: await store.state(),
        attempts: runner.running().slice(0, attemptsMax), ...(known !== undefined && { cluster: known }),
        ...(fence.seen.epoch > 0 && { seen: fence.seen }), ...(logControl && { logLevel: logControl.level }),
        ...(settings && { settings: [...settings] }), features: [...nodeFeatures],
        ...runner.memory && { memory: runner.memory }, ...runner.drives !== undefined && { drives: runner.drives },
      },
      { signal, peer: 'namenode', retry: false },
    )
    await fence.pass(reply)
    await join(reply.cluster)
    sessionBegan(reply.upMs ?? 0)
    time.sample(reply.nowMs, askedMs)
    this.#contact(askedMs)
    this.sessions++
    if (!reply.provisional) for (const attempt of reply.kill) runner.kill(attempt)
    log.info('registered', { session: reply.session, epoch: reply.epoch, cluster: reply.cluster, blocks: store.blocks })
    return new Session({ ...this.#options, contact: askedAtMs => this.#contact(askedAtMs) }, reply.session)
  }

  #contact(askedMs: number): void { this.#contactMs = Math.max(this.#contactMs ?? askedMs, askedMs) }

  #complain(error: GristmillError): void {
    const now = this.#options.clock.mono()
    if (now - this.#complainedMs < complainMs) return
    this.#complainedMs = now
    this.#options.log.warn('no contact with the namenode; trying again', { error, namenode: this.#options.namenode })
  }
}
