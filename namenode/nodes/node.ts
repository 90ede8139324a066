// State of one datanode: its registration, its last heartbeat, and its pending orders. Soft state: after a restart of the namenode the
// datanode sends it again. Other files read it and change it through methods: sessions and states are changed by the registry, which tells
// its listeners; progress of reports by nodecalls/routes.ts; counts of held blocks by service/servicestates.ts; copies by the repair.

import type { Address, NodeId } from '../../src/base/ids.ts'
import type { NodePlace } from '../../src/protocol/fields.ts'
import {
  nodeFeatures, type beat, type NodeFeature, type NodeMemory, type NodeWork, type register, type StorageState,
} from '../../src/protocol/heartbeat.ts'
import type { LogLevel } from '../../src/ports/log.ts'
import type { RequestOf } from '../../src/protocol/message.ts'
import type { ServerSetting } from '../../src/protocol/server.ts'
import { CopyLoad } from './copyload.ts'
import type { OrderQueue } from './orders.ts'
import { inService, type NodeService } from '../service/rows.ts'

/**
 * `left`: the node said that it stops; its replicas count until it would be dead. `away`: it would be dead if it were not in
 * maintenance; its replicas count. A known node that has not registered yet is `dead`.
 */
export type NodeState = 'live' | 'stale' | 'dead' | 'left' | 'away'

/** A datanode as the journal knows it: also one that has not registered since the start. */
export interface KnownNode extends NodePlace {
  readonly sinceMs: number
  /** State set by an operator; default: in service. */
  readonly service?: NodeService | undefined
}

/** `short`: blocks that have a copy on every possible node, but fewer than their replication. */
export interface HeldCounts { readonly blocks: number; readonly remaining: number; readonly short?: number }

/** Fields of a registration that the namenode keeps. */
type Registration = Pick<
  RequestOf<typeof register>,
  'address' | 'rack' | 'host' | 'pid' | 'version' | 'slots' | 'storages' | 'logLevel' | 'settings' | 'features' | 'memory'
  | 'drives'
> & {
  readonly attempts: { readonly length: number }
}

interface Session {
  readonly session: number
  readonly reportId: number
  readonly orders: OrderQueue
  readonly nowMs: number
}

/** A node that dies twice within this time is unsteady, until it has lived for as long. */
const unsteadyMs = 3_600_000

export class DataNode {
  readonly node: NodeId
  /** Ordered copies that it sends and receives and that are not reported yet. */
  readonly sending = new CopyLoad()
  readonly receiving = new CopyLoad()
  #address: Address
  #rack: string
  #host: string
  #pid = 0
  #version = ''
  #logLevel: LogLevel | undefined
  #settings: readonly ServerSetting[] | undefined
  #slots = 0
  #features: readonly NodeFeature[] = []
  #memory: NodeMemory | undefined
  #drives: number | undefined
  #storages: readonly StorageState[] = []
  #transfers = 0
  #running = 0
  #refused = 0
  #done: NodeWork | undefined
  #state: NodeState = 'dead'
  #contactMs: number
  #hungUp = false
  #beatMs = 0
  #diedMs = Number.NEGATIVE_INFINITY
  #unsteady = false
  #noted = false
  #service: NodeService = inService
  #maintenanceUntilMs = 0
  #session = 0
  #seq = 0
  #orders: OrderQueue
  #reportId = 0
  #earlier: number[] = []
  #reported = false
  #held: HeldCounts | undefined
  #notDecommissioned: string | undefined

  constructor(place: NodePlace, orders: OrderQueue, contactMs: number) {
    this.node = place.node
    this.#address = place.address
    this.#rack = place.rack
    this.#host = place.host
    this.#orders = orders
    this.#contactMs = contactMs
  }

  get address(): Address { return this.#address }
  get rack(): string { return this.#rack }
  get host(): string { return this.#host }
  get pid(): number { return this.#pid }
  get version(): string { return this.#version }
  /** Level of its log, and its settings; undefined: a datanode of an earlier version. */
  get logLevel(): LogLevel | undefined { return this.#logLevel }
  get settings(): readonly ServerSetting[] | undefined { return this.#settings }
  get slots(): number { return this.#slots }
  /** Work beyond that of earlier versions. */
  get features(): readonly NodeFeature[] { return this.#features }
  /** Memory of its tasks; undefined: a datanode of an earlier version, or one without slots. */
  get memory(): NodeMemory | undefined { return this.#memory }
  /** Programs that it drives at the same time; undefined as above. */
  get drives(): number | undefined { return this.#drives }
  get storages(): readonly StorageState[] { return this.#storages }
  get transfers(): number { return this.#transfers }
  get running(): number { return this.#running }
  /** Blocks that it was ordered to delete and has refused: it does not trust this namenode yet. */
  get refused(): number { return this.#refused }
  /** Work of its process so far; undefined: a datanode of an earlier version, or no heartbeat yet. */
  get done(): NodeWork | undefined { return this.#done }
  get state(): NodeState { return this.#state }
  /** Monotonic time of its last sign of life; default: the namenode's start. */
  get contactMs(): number { return this.#contactMs }
  /** True if its long poll broke off and no message has arrived since. */
  get hungUp(): boolean { return this.#hungUp }
  /** Monotonic time of its last heartbeat, which reports its storages. */
  get beatMs(): number { return this.#beatMs }
  /** True if it has died more than once within an hour: its replicas are the first to go if a block has excess ones. */
  get unsteady(): boolean { return this.#unsteady }
  /** True if the journal holds it with this address, rack and host. */
  get noted(): boolean { return this.#noted }
  /** Service state set by an operator. */
  get service(): NodeService { return this.#service }
  /** End of its maintenance on the monotonic clock, so that jumps of the wall clock do not matter. */
  get maintenanceUntilMs(): number { return this.#maintenanceUntilMs }
  /** 0: it has not registered with this namenode. */
  get session(): number { return this.#session }
  /** Number of the last processed change or page of a report. */
  get seq(): number { return this.#seq }
  get orders(): OrderQueue { return this.#orders }
  /** Report id of its replicas in the block table; see reportids.ts. */
  get reportId(): number { return this.#reportId }
  /** Report ids that the full report in progress replaces. */
  get earlier(): readonly number[] { return this.#earlier }
  /** True if its full report of this session is complete. */
  get reported(): boolean { return this.#reported }
  /** While it is not in service: its blocks, and those still to be copied elsewhere. Updated periodically (service/held.ts). */
  get held(): HeldCounts | undefined { return this.#held }
  /** Reason why it is still in service although a hosts file excludes it. */
  get notDecommissioned(): string | undefined { return this.#notDecommissioned }

  /** Free bytes of the largest working storage: a block goes to one storage. */
  get freeBytes(): number { return this.#working.reduce((most, each) => Math.max(most, each.freeBytes), 0) }
  get capacityBytes(): number { return this.#working.reduce((most, each) => Math.max(most, each.capacityBytes), 0) }
  /** Bytes of its blocks, and free bytes, over all working storages. */
  get usedBytes(): number { return this.#working.reduce((sum, each) => sum + each.usedBytes, 0) }
  get roomBytes(): number { return this.#working.reduce((sum, each) => sum + each.freeBytes, 0) }
  get blocks(): number { return this.#storages.reduce((sum, each) => sum + each.blocks, 0) }
  get place(): NodePlace { return { node: this.node, address: this.#address, rack: this.#rack, host: this.#host } }
  /** True if its replicas count as present. */
  get holds(): boolean { return this.#state !== 'dead' }
  /** True if its replicas count toward their target. */
  get inService(): boolean { return this.#service.state === 'in-service' }
  /** True if its replicas count although it may be absent. */
  get inMaintenance(): boolean { return this.#service.state === 'maintenance' }
  /** True if clients and datanodes can read from it now. */
  get serves(): boolean { return this.#state === 'live' || this.#state === 'stale' }

  get #working(): StorageState[] { return this.#storages.filter(each => !each.failed) }

  /** It has registered: a session begins, and orders of an earlier one are void. */
  begin(said: Registration, { session, reportId, orders, nowMs }: Session): void {
    if (this.#session !== 0 && this.#state !== 'dead') this.#earlier.push(this.#reportId)
    this.#address = said.address
    this.#rack = said.rack
    this.#host = said.host
    this.#pid = said.pid
    this.#version = said.version
    this.#logLevel = said.logLevel
    this.#settings = said.settings
    this.#slots = said.slots
    this.#memory = said.memory
    this.#drives = said.drives
    this.#features = nodeFeatures.filter(feature => said.features?.includes(feature))
    this.#storages = said.storages
    this.#running = said.attempts.length
    this.#transfers = 0
    this.#done = undefined
    this.#state = 'live'
    this.#contactMs = nowMs
    this.#hungUp = false
    this.#reportId = reportId
    this.#reported = false
    this.#seq = 0
    this.#session = session
    this.#orders.close()
    this.#orders = orders
  }

  /** A sign of life. Returns true if the node was stale before. */
  contact(nowMs: number): boolean {
    this.#contactMs = nowMs
    this.#hungUp = false
    if (this.#state !== 'stale') return false
    this.#state = 'live'
    return true
  }

  /** A heartbeat, after `contact`. */
  beat({ storages, transfers, running, refused = 0, done }: Omit<RequestOf<typeof beat>, 'node' | 'session'>): void {
    this.#storages = storages
    this.#transfers = transfers
    this.#running = running
    this.#refused = refused
    this.#done = done
    this.#beatMs = this.#contactMs
  }

  /** Its log is to have this level. REQUIRES: it has told its level. */
  setLogLevel(level: LogLevel): void {
    this.#logLevel = level
    this.#orders.push({ kind: 'log', level })
  }

  /** Its long poll broke off. */
  hangUp(): void { this.#hungUp = true }
  leave(): void { this.#state = 'left' }
  becomeStale(): void { this.#state = 'stale' }

  becomeAway(): void {
    this.#state = 'away'
    this.#orders.close()
  }

  /** Returns the report ids of its replicas, which are void. */
  die(nowMs: number): number[] {
    this.#unsteady = nowMs - this.#diedMs <= unsteadyMs
    this.#diedMs = nowMs
    this.#state = 'dead'
    this.#orders.close()
    return [...this.#earlier.splice(0), this.#reportId]
  }

  /** Time passes: a node that has lived for long is steady again. */
  age(nowMs: number): void { if (nowMs - this.#diedMs > unsteadyMs) this.#unsteady = false }

  /** A pause of this process does not count as silence of the node. */
  excuse(pausedMs: number, nowMs: number): void { if (this.holds) this.#contactMs = Math.min(nowMs, this.#contactMs + pausedMs) }

  /** Sets the service state; counts of held blocks belong to the old one. */
  assign(service: NodeService, maintenanceUntilMs: number): void {
    this.#service = service
    this.#maintenanceUntilMs = maintenanceUntilMs
    this.#held = undefined
  }

  /** Records whether the journal holds it with this address, rack and host. */
  note(noted: boolean): void { this.#noted = noted }

  setHeld(counts: HeldCounts | undefined): void { this.#held = counts }

  setNotDecommissioned(why: string | undefined): void { this.#notDecommissioned = why }

  /** A change or page of a report has been processed. */
  took(seq: number): void { this.#seq = seq }

  /** Another full report of the session begins: it replaces what the last one has said. */
  reportAgain(reportId: number): void {
    this.#earlier.push(this.#reportId)
    this.#reportId = reportId
    this.#reported = false
  }

  /** The full report is complete. Returns the report ids that it has replaced. */
  completeReport(): number[] {
    this.#reported = true
    return this.#earlier.splice(0)
  }
}
