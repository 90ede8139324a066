// Registry of all datanodes: sessions, states, time of the last sign of life. Time is monotonic.
// live → stale (gets no new blocks or tasks) → dead (its replicas no longer count, blocks/blocks.ts has its blocks reviewed, and repair.ts
// copies them). A node whose long poll breaks off is stale after a third of the time that this takes otherwise.
// A node that registers again begins a new session; messages of an older session get UNREGISTERED.
// INVARIANT: no two live nodes have one address. Otherwise one process with two identities would be given two replicas of a block, on one
// disk.

import { assert } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { Address, AttemptId, NodeId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Random } from '../../src/ports/random.ts'
import type { RequestOf } from '../../src/protocol/message.ts'
import type { beat, register } from '../../src/protocol/heartbeat.ts'
import { AwakeClock } from './awakeclock.ts'
import { DataNode, type KnownNode } from './node.ts'
import { OrderQueue } from './orders.ts'
import { inService, type NodeService } from '../service/rows.ts'
import type { ReportIds } from './reportids.ts'

interface NodeTimes {
  readonly nodeStaleMs: number
  readonly nodeDeadMs: number
  readonly longPollMs: number
}

/** Callbacks for changes of nodes. Several listeners are possible. */
export interface NodeListener {
  /** A session began. Returns the attempts that the node must kill. */
  joined?(node: DataNode, attempts: readonly AttemptId[]): readonly AttemptId[] | void
  /** The node said that it stops: no new work. */
  left?(node: DataNode): void
  /** The node's heartbeats are late: no new work. */
  stale?(node: DataNode): void
  /** A stale node has sent a sign of life. */
  returned?(node: DataNode): void
  /** The node is dead, with all its data. */
  dead?(node: DataNode): void
  /** The node would be dead if it were not in maintenance: its attempts are lost, its replicas count. */
  away?(node: DataNode): void
  /** A heartbeat reported more free space than the one before. */
  roomChanged?(node: DataNode, before: { readonly freeBytes: number; readonly capacityBytes: number }): void
  /** The node's service state has changed. */
  reassigned?(node: DataNode): void
  /** The node asks for work; `freeSlots` tasks could start now. */
  offered?(node: DataNode, freeSlots: number): void
  /** The node's full report is complete. */
  reported?(node: DataNode): void
  /** The node was dead for long, and is not known any more. */
  forgotten?(node: DataNode): void
}

/** Fraction of nodeStaleMs for a node whose long poll broke off without a message since. */
const hungUpShare = 1 / 3

export class NodeRegistry {
  readonly #world: { readonly clock: Clock; readonly log: Log; readonly random: Random }
  readonly #reportIds: ReportIds
  readonly #times: NodeTimes
  readonly #nodes = new Map<NodeId, DataNode>()
  readonly #listeners: NodeListener[] = []
  #nextSession: number
  /** Clock without pauses of this process. */
  readonly awake: AwakeClock
  /** Sum of the pauses that `check` has already credited to nodes. */
  #excusedMs = 0

  constructor(world: { clock: Clock; log: Log; random: Random }, reportIds: ReportIds, times: NodeTimes) {
    this.#world = world
    this.#reportIds = reportIds
    this.#times = times
    this.awake = new AwakeClock(world.clock, times)
    // Random start: sessions of an earlier process must not match.
    this.#nextSession = 1 + world.random.below(2 ** 40)
  }

  listen(listener: NodeListener): void { this.#listeners.push(listener) }

  get all(): Iterable<DataNode> { return this.#nodes.values() }
  get live(): DataNode[] { return [...this.#nodes.values()].filter(node => node.state === 'live') }
  /** Nodes that may get new blocks and tasks. */
  get open(): DataNode[] { return [...this.#nodes.values()].filter(node => node.state === 'live' && node.inService) }
  /** Number of nodes in service that serve, or are expected to register after the start of this process. */
  get expectedCount(): number {
    let count = 0
    for (const node of this.#nodes.values()) if (node.inService && (node.serves || (node.session === 0 && node.noted))) count++
    return count
  }
  get(id: NodeId): DataNode | undefined { return this.#nodes.get(id) }

  /** Adds a node known from an earlier process that has not registered yet. */
  expect({ service = inService, ...place }: KnownNode): void {
    const node = new DataNode(place, this.#newOrders(), this.#world.clock.mono())
    node.note(true)
    this.#nodes.set(place.node, node)
    this.#assign(node, service)
  }

  /** Applies a service state from the journal. */
  assign(node: DataNode, service: NodeService): void {
    this.#assign(node, service)
    this.#world.log.info('the service state of a datanode has changed', {
      node: node.node, service: service.state, untilMs: service.untilMs,
    })
    if (node.inService) node.orders.nudge() // it polls again at once, and offers its slots
    for (const listener of this.#listeners) listener.reassigned?.(node)
  }

  #assign(node: DataNode, service: NodeService): void {
    const { clock } = this.#world
    node.assign(service, service.untilMs === undefined ? 0 : clock.mono() + Math.max(0, service.untilMs - clock.now()))
  }

  /** Known nodes without a complete full report in their session, except left and decommissioned ones and those in maintenance. */
  awaited(): DataNode[] {
    return [...this.#nodes.values()].filter(
      node => !node.reported && node.state !== 'left' && !node.inMaintenance && node.service.state !== 'decommissioned',
    )
  }

  /** Nodes in maintenance that have not registered since the start: their replicas are unknown. */
  unregisteredCount(): number {
    let count = 0
    for (const node of this.#nodes.values()) if (node.inMaintenance && node.session === 0) count++
    return count
  }

  /** Throws EADDRINUSE if another live node has this address. */
  admit({ node: id, address }: { readonly node: NodeId; readonly address: Address }): void {
    const holder = this.#at(address, id).find(node => node.state === 'live')
    if (!holder) return
    const heardMs = Math.round(this.#world.clock.mono() - holder.contactMs)
    throw new GristmillError(
      'EADDRINUSE',
      `the datanode ${id} says that it is at ${address}, which is the address of the datanode ${holder.node}, whose last heartbeat was ` +
      `${heardMs} ms ago; if it replaces that one, it is admitted once those heartbeats stop; if both run, give each an address of its ` +
      'own (the setting advertise)',
      { details: { address, node: id, holder: holder.node } },
    )
  }

  /** Other nodes at this address that are not dead. */
  #at(address: Address, id: NodeId): DataNode[] {
    return [...this.#nodes.values()].filter(node => node.node !== id && node.address === address && node.state !== 'dead')
  }

  register(request: RequestOf<typeof register>): { node: DataNode; kill: AttemptId[] } {
    const { node: id, address, rack, host, pid, attempts } = request
    const { clock, log } = this.#world
    this.admit(request)
    for (const before of this.#at(address, id)) {
      log.warn('a datanode has registered at the address of one without heartbeats, and replaces it', {
        address, before: before.node, now: id,
      })
      this.#giveUp(before, clock.mono() - before.contactMs)
    }
    let node = this.#nodes.get(id)
    if (!node) this.#nodes.set(id, node = new DataNode({ node: id, address, rack, host }, this.#newOrders(), clock.mono()))
    // A live process does not register twice; two processes with one identity would lose data.
    if (node.state === 'live' && node.pid !== pid && node.address !== address) {
      log.warn('a datanode registers from another address while its last session is live', { node: id, before: node.address, now: address })
    }
    node.begin(request, {
      session: this.#nextSession++, reportId: this.#reportIds.grant(node), orders: this.#newOrders(), nowMs: clock.mono(),
    })
    log.info('a datanode has registered', { node: id, address, rack, host, session: node.session })
    const kill = this.#listeners.flatMap(listener => [...listener.joined?.(node, attempts) ?? []])
    return { node, kill }
  }

  /** Returns the node of a session and records a sign of life. Throws UNREGISTERED. */
  contact(id: NodeId, session: number): DataNode {
    const node = this.#nodes.get(id)
    if (!node || node.session !== session || node.state === 'dead' || node.state === 'away') {
      throw new GristmillError('UNREGISTERED', `the datanode ${id} has no session ${session} with this namenode; it must register again`, {
        details: { node: id },
      })
    }
    if (node.contact(this.#world.clock.mono())) {
      this.#world.log.info('a stale datanode sends heartbeats again', { node: id })
      node.orders.nudge() // it polls again at once, and offers its slots
      for (const listener of this.#listeners) listener.returned?.(node)
    }
    return node
  }

  beat(request: RequestOf<typeof beat>): void {
    const node = this.contact(request.node, request.session)
    const before = { freeBytes: node.freeBytes, capacityBytes: node.capacityBytes }
    node.beat(request)
    if (node.freeBytes > before.freeBytes) for (const listener of this.#listeners) listener.roomChanged?.(node, before)
  }

  leave(id: NodeId, session: number): void {
    const node = this.contact(id, session)
    node.leave()
    this.#world.log.info('a datanode stops in good order', { node: id })
    for (const listener of this.#listeners) listener.left?.(node)
  }

  /** The node's long poll broke off. A live node polls again at once; a killed process does not. */
  hungUp(node: DataNode): void { node.hangUp() }

  offered(node: DataNode, freeSlots: number): void {
    if (node.state === 'live' && node.inService) for (const listener of this.#listeners) listener.offered?.(node, freeSlots)
  }

  /** The node's full report is complete: replicas that it did not list are gone. */
  reported(node: DataNode): void {
    for (const reportId of node.completeReport()) this.#reportIds.retire(reportId)
    for (const listener of this.#listeners) listener.reported?.(node)
  }

  /** Marks nodes as stale or dead. Pauses of this process do not count as silence. */
  check(): void {
    const now = this.#world.clock.mono()
    const stoodMs = this.awake.stoodMs - this.#excusedMs
    if (stoodMs > 0) {
      this.#excusedMs += stoodMs
      this.#world.log.warn('this namenode was paused; the pause does not count as silence of datanodes or writers', {
        forMs: Math.round(stoodMs),
      })
      for (const node of this.#nodes.values()) node.excuse(stoodMs, now)
    }
    for (const node of this.#nodes.values()) {
      node.age(now)
      if (node.state === 'dead') continue
      const silentMs = now - node.contactMs
      if (silentMs >= this.#times.nodeDeadMs) this.#giveUp(node, silentMs)
      else if (node.state === 'live' && silentMs >= this.#times.nodeStaleMs * (node.hungUp ? hungUpShare : 1)) {
        node.becomeStale()
        this.#world.log.warn('a datanode is stale', { node: node.node, silentMs: Math.round(silentMs), hungUp: node.hungUp })
        for (const listener of this.#listeners) listener.stale?.(node)
      }
    }
  }

  #giveUp(node: DataNode, silentMs: number): void {
    if (!node.inMaintenance) return this.#die(node, silentMs)
    if (node.state === 'away') return
    this.#world.log.info('a datanode in maintenance is away: its tasks run elsewhere, its blocks are not copied', {
      node: node.node,
      forMs: Math.round(node.maintenanceUntilMs - this.#world.clock.mono()),
    })
    node.becomeAway()
    for (const listener of this.#listeners) listener.away?.(node)
  }

  #die(node: DataNode, silentMs: number): void {
    this.#world.log.warn('a datanode is dead: its blocks are copied and its tasks run elsewhere', {
      node: node.node, silentMs: Math.round(silentMs), left: node.state === 'left',
    })
    for (const reportId of node.die(this.#world.clock.mono())) this.#reportIds.retire(reportId)
    for (const listener of this.#listeners) listener.dead?.(node)
  }

  /** Throws AssertionFailed if two live nodes have one address. For tests and simulations. */
  checkState(): void {
    const at = new Map<Address, DataNode>()
    for (const node of this.live) {
      const other = at.get(node.address)
      assert(!other, `the live nodes ${other?.node} and ${node.node} have the address ${node.address}`)
      at.set(node.address, node)
    }
  }

  /** Keeps so many of the dead nodes that the journal does not have, those that were heard of last, and forgets the others. */
  trim(goneMax: number): void {
    const gone = [...this.#nodes.values()].filter(node => node.state === 'dead' && !node.noted && node.inService)
    for (const node of gone.sort((a, b) => b.contactMs - a.contactMs).slice(goneMax)) this.forget(node)
  }

  /** REQUIRES: the node is dead, and the journal does not have it. */
  forget(node: DataNode): void {
    this.#nodes.delete(node.node)
    for (const listener of this.#listeners) listener.forgotten?.(node)
  }

  /** Ends all waiting polls. */
  stop(): void {
    for (const node of this.#nodes.values()) node.orders.close()
  }

  #newOrders(): OrderQueue { return new OrderQueue(this.#world.clock, this.#times.longPollMs) }
}
