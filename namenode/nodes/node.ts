// State of one datanode: its registration, its last heartbeat, and its pending orders. Soft state: after a restart of the
// namenode the datanode sends it again.

import type { Address, NodeId } from '../../src/base/ids.ts'
import type { NodePlace } from '../../src/protocol/fields.ts'
import type { StorageState } from '../../src/protocol/heartbeat.ts'
import type { OrderQueue } from './orders.ts'
import { inService, type NodeService } from './service.ts'

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
export interface DrainCounts { readonly blocks: number; readonly remaining: number; readonly short?: number }

export class DataNode {
  readonly node: NodeId
  address: Address
  rack: string
  host: string
  pid = 0
  version = ''
  slots = 0
  storages: readonly StorageState[] = []
  transfers = 0
  running = 0
  /** Blocks that it was ordered to delete and has refused: it does not trust this namenode yet. */
  refused = 0
  state: NodeState = 'dead'
  /** Monotonic time of its last sign of life; default: the namenode's start. */
  contactMs: number
  /** True if its long poll broke off and no message has arrived since. */
  hungUp = false
  /** Monotonic time of its last heartbeat, which reports its storages. */
  beatMs = 0
  /** Monotonic time at which it last became dead. */
  diedMs = Number.NEGATIVE_INFINITY
  /** True if it has died more than once within an hour: its replicas are the first to go if a block has excess ones. */
  unsteady = false
  /** True if the journal holds it with this address, rack and host. */
  noted = false
  /** Service state set by an operator. */
  service: NodeService = inService
  /** End of its maintenance on the monotonic clock, so that jumps of the wall clock do not matter. */
  maintenanceUntilMs = 0
  /** 0: it has not registered with this namenode. */
  session = 0
  /** Number of the last processed change or page of a report. */
  seq = 0
  orders: OrderQueue
  /** Report id of its replicas in the block table; see reportids.ts. */
  reportId = 0
  /** Report ids that the full report in progress replaces. */
  earlier: number[] = []
  /** True if its full report of this session is complete. */
  reported = false
  /** While it is not in service: its blocks, and those still to be copied elsewhere. Updated periodically (drain.ts). */
  held: DrainCounts | undefined
  /** Ordered copies that it sends and receives and that are not reported yet. */
  sending = 0
  receiving = 0
  sendingBytes = 0
  receivingBytes = 0

  constructor(place: NodePlace, orders: OrderQueue, contactMs: number) {
    this.contactMs = contactMs
    this.node = place.node
    this.address = place.address
    this.rack = place.rack
    this.host = place.host
    this.orders = orders
  }

  /** Free bytes of the largest working storage: a block goes to one storage. */
  get freeBytes(): number { return this.#working.reduce((most, each) => Math.max(most, each.freeBytes), 0) }
  get capacityBytes(): number { return this.#working.reduce((most, each) => Math.max(most, each.capacityBytes), 0) }
  /** Bytes of its blocks, and free bytes, over all working storages. */
  get usedBytes(): number { return this.#working.reduce((sum, each) => sum + each.usedBytes, 0) }
  get roomBytes(): number { return this.#working.reduce((sum, each) => sum + each.freeBytes, 0) }
  get blocks(): number { return this.storages.reduce((sum, each) => sum + each.blocks, 0) }
  get place(): NodePlace { return { node: this.node, address: this.address, rack: this.rack, host: this.host } }
  /** True if its replicas count as present. */
  get holds(): boolean { return this.state !== 'dead' }
  /** True if its replicas count toward their target. */
  get inService(): boolean { return this.service.state === 'in-service' }
  /** True if its replicas count although it may be absent. */
  get inMaintenance(): boolean { return this.service.state === 'maintenance' }
  /** True if clients and datanodes can read from it now. */
  get serves(): boolean { return this.state === 'live' || this.state === 'stale' }

  get #working(): StorageState[] { return this.storages.filter(each => !each.failed) }
}
