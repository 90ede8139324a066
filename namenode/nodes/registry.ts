// All datanodes: who is there, in which session, and since when nothing was heard of them. Time is monotonic.
// live → stale (nothing new is placed there) → dead (its replicas no longer count, its blocks are copied elsewhere).
// A node that registers again begins a new session; whatever speaks of an older one is told to register (UNREGISTERED).
// Invariant: of the nodes that live no two have one address. Two identities of one process would be given two replicas of a block,
// which are one.

import { GristmillError } from '../../src/base/errors.ts'
import type { Address, AttemptId, NodeId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Random } from '../../src/ports/random.ts'
import type { RequestOf } from '../../src/protocol/message.ts'
import type { beat, register } from '../../src/protocol/heartbeat.ts'
import { AwakeClock } from './awakeclock.ts'
import { DataNode } from './node.ts'
import type { KnownNode } from './known.ts'
import { OrderQueue } from './orders.ts'
import { inService, type NodeService } from './service.ts'
import type { ReportIds } from './reportids.ts'

export interface NodeTimes {
  readonly nodeStaleMs: number
  readonly nodeDeadMs: number
  readonly longPollMs: number
}

/** What others do when nodes come and go. Several may listen. */
export interface NodeListener {
  /** A session began. Gives the attempts that the node is to kill. */
  joined?(node: DataNode, attempts: readonly AttemptId[]): readonly AttemptId[] | void
  /** It said good-bye: no new work. */
  left?(node: DataNode): void
  /** Nothing is heard of it: no new work. */
  stale?(node: DataNode): void
  /** It was silent for a while, and is heard of again. */
  returned?(node: DataNode): void
  /** It is dead, with everything on it. */
  lost?(node: DataNode): void
  /** It would be dead if it were not in maintenance: whatever it ran is lost, what it holds counts. */
  away?(node: DataNode): void
  /** An operator, or time, has changed whether it serves. */
  reassigned?(node: DataNode): void
  /** It asks for work; `freeSlots` tasks could start now. */
  offered?(node: DataNode, freeSlots: number): void
  /** Its full report is complete. */
  reported?(node: DataNode): void
}

/** Of the usual time, for a node that broke off its waiting call and has said nothing since. */
const hungUpShare = 1 / 3

/** A node that dies twice within this long is unsteady, until it has lived for as long. */
const unsteadyMs = 3_600_000

export class NodeRegistry {
  readonly #world: { readonly clock: Clock; readonly log: Log; readonly random: Random }
  readonly #reportIds: ReportIds
  readonly #times: NodeTimes
  readonly #nodes = new Map<NodeId, DataNode>()
  readonly #listeners: NodeListener[] = []
  readonly #startMs: number
  #nextSession: number
  #met = false
  /** Time in which this process ran. */
  readonly awake: AwakeClock
  /** Standstills that nodes have been excused for. */
  #excusedMs = 0

  constructor(world: { clock: Clock; log: Log; random: Random }, reportIds: ReportIds, times: NodeTimes) {
    this.#world = world
    this.#reportIds = reportIds
    this.#times = times
    this.awake = new AwakeClock(world.clock, times)
    this.#startMs = this.awake.mono()
    // Sessions of an earlier life of this namenode are not mistaken for ours.
    this.#nextSession = 1 + world.random.below(2 ** 40)
  }

  listen(listener: NodeListener): void { this.#listeners.push(listener) }

  get all(): Iterable<DataNode> { return this.#nodes.values() }
  get live(): DataNode[] { return [...this.#nodes.values()].filter(node => node.state === 'live') }
  /** Those that new blocks and tasks may go to. */
  get open(): DataNode[] { return [...this.#nodes.values()].filter(node => node.state === 'live' && node.inService) }
  get(id: NodeId): DataNode | undefined { return this.#nodes.get(id) }

  /** A node of an earlier life of this namenode: expected, not here yet. */
  expect({ service = inService, ...place }: KnownNode): void {
    const node = new DataNode(place, this.#newOrders(), this.#world.clock.mono())
    node.noted = true
    this.#nodes.set(place.node, node)
    this.#assign(node, service)
  }

  /** What the journal now says of a node. */
  assign(node: DataNode, service: NodeService): void {
    this.#assign(node, service)
    this.#world.log.info('a datanode has another part in the cluster', {
      node: node.node, service: service.state, untilMs: service.untilMs,
    })
    if (node.inService) node.orders.nudge() // it asks again at once, and with that for work
    for (const listener of this.#listeners) listener.reassigned?.(node)
  }

  #assign(node: DataNode, service: NodeService): void {
    const { clock } = this.#world
    node.service = service
    node.held = undefined // it was counted for what the node was
    node.excusedUntilMs = service.untilMs === undefined ? 0 : clock.mono() + Math.max(0, service.untilMs - clock.now())
  }

  /** No node has come yet, and one that is there would not have had the time: whoever needs one asks again. */
  get settling(): boolean { return !this.#met && this.awake.mono() - this.#startMs < this.#times.nodeDeadMs }

  /**
   * Expected nodes that have neither reported everything since the start nor been given up; those that may be switched off are not
   * expected.
   */
  awaited(): DataNode[] {
    return [...this.#nodes.values()].filter(
      node => !node.reported && node.state !== 'left' && !node.inMaintenance && node.service.state !== 'decommissioned',
    )
  }

  /** Nodes in maintenance of which this namenode has heard nothing yet: nobody knows what they hold, but something they do. */
  unheard(): number {
    let count = 0
    for (const node of this.#nodes.values()) if (node.inMaintenance && node.session === 0) count++
    return count
  }

  /** Throws EADDRINUSE while another node that lives is at this address. */
  admit({ node: id, address }: { readonly node: NodeId; readonly address: Address }): void {
    const holder = this.#at(address, id).find(node => node.state === 'live')
    if (!holder) return
    const heardMs = Math.round(this.#world.clock.mono() - holder.contactMs)
    throw new GristmillError(
      'EADDRINUSE',
      `the datanode ${id} says that it is at ${address}, where the datanode ${holder.node} is, which was heard of ${heardMs} ms ago; if it has taken that one's place, it is admitted as soon as nothing is heard of it; if both run, give each an address of its own (the setting advertise)`,
      { details: { address, node: id, holder: holder.node } },
    )
  }

  /** Nodes other than this one that are not dead and were last at this address. */
  #at(address: Address, id: NodeId): DataNode[] {
    return [...this.#nodes.values()].filter(node => node.node !== id && node.address === address && node.state !== 'dead')
  }

  register(request: RequestOf<typeof register>): { node: DataNode; kill: AttemptId[] } {
    const { node: id, address, rack, host, pid, version, slots, storages, attempts } = request
    const { clock, log } = this.#world
    this.admit(request)
    for (const before of this.#at(address, id)) {
      log.warn('another datanode is at the address of one that is silent, and has taken its place', {
        address, before: before.node, now: id,
      })
      this.#giveUp(before, clock.mono() - before.contactMs)
    }
    let node = this.#nodes.get(id)
    if (!node) this.#nodes.set(id, node = new DataNode({ node: id, address, rack, host }, this.#newOrders(), clock.mono()))
    // A process that lives does not register twice; two that do share an identity, and both would lose data.
    if (node.state === 'live' && node.pid !== pid && node.address !== address) {
      log.warn('a datanode registers from another place while its last session lives', { node: id, before: node.address, now: address })
    }
    this.#met = true
    const reportId = this.#reportIds.grant(node)
    if (node.session !== 0 && node.state !== 'dead') node.earlier.push(node.reportId)
    Object.assign(node, {
      address, rack, host, pid, version, slots, storages, reportId, transfers: 0, running: attempts.length, state: 'live',
      contactMs: clock.mono(), hungUp: false, reported: false, seq: 0,
    })
    node.session = this.#nextSession++
    node.orders.close()
    node.orders = this.#newOrders()
    log.info('a datanode has registered', { node: id, address, rack, host, session: node.session })
    const kill = this.#listeners.flatMap(listener => [...listener.joined?.(node, attempts) ?? []])
    return { node, kill }
  }

  /** The node of a session, which has just given a sign of life. Throws UNREGISTERED. */
  heard(id: NodeId, session: number): DataNode {
    const node = this.#nodes.get(id)
    if (!node || node.session !== session || node.state === 'dead' || node.state === 'away') {
      throw new GristmillError('UNREGISTERED', `the datanode ${id} has no session ${session} with this namenode; it must register again`, {
        details: { node: id },
      })
    }
    node.contactMs = this.#world.clock.mono()
    node.hungUp = false
    if (node.state === 'stale') {
      node.state = 'live'
      this.#world.log.info('a datanode is heard of again', { node: id })
      node.orders.nudge() // it asks again at once, and with that for work
      for (const listener of this.#listeners) listener.returned?.(node)
    }
    return node
  }

  beat(request: RequestOf<typeof beat>): void {
    const node = this.heard(request.node, request.session)
    node.storages = request.storages
    node.beatMs = node.contactMs
    node.transfers = request.transfers
    node.running = request.running
    node.refused = request.refused ?? 0
  }

  leave(id: NodeId, session: number): void {
    const node = this.heard(id, session)
    node.state = 'left'
    this.#world.log.info('a datanode leaves in good order', { node: id })
    for (const listener of this.#listeners) listener.left?.(node)
  }

  /** Its waiting call has broken off. A node that lives calls again at once; a process that was killed does not. */
  hungUp(node: DataNode): void { node.hungUp = true }

  offered(node: DataNode, freeSlots: number): void {
    if (node.state === 'live' && node.inService) for (const listener of this.#listeners) listener.offered?.(node, freeSlots)
  }

  /** Its full report is complete: what it did not mention is gone. */
  reported(node: DataNode): void {
    for (const reportId of node.earlier.splice(0)) this.#reportIds.retire(reportId)
    node.reported = true
    for (const listener of this.#listeners) listener.reported?.(node)
  }

  /** Looks who has been silent for too long. Time in which this process stood still does not count. */
  check(): void {
    const now = this.#world.clock.mono()
    const stoodMs = this.awake.stoodMs - this.#excusedMs
    if (stoodMs > 0) {
      this.#excusedMs += stoodMs
      this.#world.log.warn('this namenode stood still; neither datanodes nor writers are taken for silent because of it', {
        forMs: Math.round(stoodMs),
      })
      for (const node of this.#nodes.values()) if (node.state !== 'dead') node.contactMs = Math.min(now, node.contactMs + stoodMs)
    }
    for (const node of this.#nodes.values()) {
      if (node.unsteady && now - node.diedMs > unsteadyMs) node.unsteady = false
      if (node.state === 'dead') continue
      const silentMs = now - node.contactMs
      if (silentMs >= this.#times.nodeDeadMs) this.#giveUp(node, silentMs)
      else if (node.state === 'live' && silentMs >= this.#times.nodeStaleMs * (node.hungUp ? hungUpShare : 1)) {
        node.state = 'stale'
        this.#world.log.warn('a datanode is silent', { node: node.node, silentMs: Math.round(silentMs), hungUp: node.hungUp })
        for (const listener of this.#listeners) listener.stale?.(node)
      }
    }
  }

  #giveUp(node: DataNode, silentMs: number): void {
    if (!node.inMaintenance) return this.#lose(node, silentMs)
    if (node.state === 'away') return
    this.#world.log.info('a datanode in maintenance is away: its tasks go elsewhere, its blocks do not', {
      node: node.node,
      forMs: Math.round(node.excusedUntilMs - this.#world.clock.mono()),
    })
    node.state = 'away'
    node.orders.close()
    for (const listener of this.#listeners) listener.away?.(node)
  }

  #lose(node: DataNode, silentMs: number): void {
    this.#world.log.warn('a datanode is dead: its blocks and tasks go elsewhere', {
      node: node.node, silentMs: Math.round(silentMs), left: node.state === 'left',
    })
    const nowMs = this.#world.clock.mono()
    node.unsteady = nowMs - node.diedMs <= unsteadyMs
    node.diedMs = nowMs
    node.state = 'dead'
    node.orders.close()
    for (const reportId of [...node.earlier.splice(0), node.reportId]) this.#reportIds.retire(reportId)
    for (const listener of this.#listeners) listener.lost?.(node)
  }

  /** Ends all waiting calls. */
  stop(): void {
    for (const node of this.#nodes.values()) node.orders.close()
  }

  #newOrders(): OrderQueue { return new OrderQueue(this.#world.clock, this.#times.longPollMs) }
}
