// One datanode as the namenode sees it: what it said at registration and in its last beat, how long ago that was, and
// what it is being asked to do. Soft state: a restarted namenode hears it all again.

import type { Address, NodeId } from '../../src/base/ids.ts'
import type { NodePlace } from '../../src/protocol/fields.ts'
import type { StorageState } from '../../src/protocol/heartbeat.ts'
import type { OrderQueue } from './orders.ts'
import { inService, type NodeService } from './service.ts'

/**
 * `left`: said good-bye; its blocks count as there until it would have been dead. `away`: it would be dead if it were not
 * in maintenance; its blocks count as there. A node that is expected and was not seen yet is `dead`.
 */
export type NodeState = 'live' | 'stale' | 'dead' | 'left' | 'away'

/** `short`: blocks that have as many copies elsewhere as there are nodes for them, which are fewer than their files want. */
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
  /** Blocks that it was ordered to remove and has not: this namenode is too young to be believed. */
  refused = 0
  state: NodeState = 'dead'
  /** Of the last sign of life, on the monotonic clock; of the namenode's start if there was none since. */
  contactMs: number
  /** Its waiting call broke off, and nothing has been heard of it since. */
  hungUp = false
  /** Of its last beat, which said what its storages hold. */
  beatMs = 0
  /** When it was last found dead, on the monotonic clock. */
  diedMs = Number.NEGATIVE_INFINITY
  /** It has died more than once of late: of blocks that are elsewhere too, its replicas are the first to go. */
  unsteady = false
  /** It is in the journal with this address, rack and host. */
  noted = false
  /** As operators have said. */
  service: NodeService = inService
  /** When its maintenance is over, on the monotonic clock: jumps of the other one neither shorten nor lengthen it. */
  excusedUntilMs = 0
  /** 0: it has not registered with this namenode. */
  session = 0
  /** The newest change or page that was taken in, by its number. */
  seq = 0
  orders: OrderQueue
  /** Under which its replicas are noted in the block table; see reportids.ts. */
  reportId = 0
  /** Terms that the full report in progress replaces. */
  earlier: number[] = []
  /** Its full report of this session is complete. */
  reported = false
  /** While it is not in service: its blocks, and those that are still to be copied away. Counted now and then (drain.ts). */
  held: DrainCounts | undefined
  /** Copies that it was ordered to send, and that others were ordered to send to it, and that have not been reported. */
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

  /** A block goes to one storage, so only the largest free one counts. */
  get freeBytes(): number { return this.#working.reduce((most, each) => Math.max(most, each.freeBytes), 0) }
  get capacityBytes(): number { return this.#working.reduce((most, each) => Math.max(most, each.capacityBytes), 0) }
  /** Of its blocks, and what is free for more: over all storages that work. */
  get usedBytes(): number { return this.#working.reduce((sum, each) => sum + each.usedBytes, 0) }
  get roomBytes(): number { return this.#working.reduce((sum, each) => sum + each.freeBytes, 0) }
  get blocks(): number { return this.storages.reduce((sum, each) => sum + each.blocks, 0) }
  get place(): NodePlace { return { node: this.node, address: this.address, rack: this.rack, host: this.host } }
  /** Its replicas count as being there. */
  get holds(): boolean { return this.state !== 'dead' }
  /** Its replicas are such as files are to have. */
  get inService(): boolean { return this.service.state === 'in-service' }
  /** Its replicas count although it may not be there. */
  get inMaintenance(): boolean { return this.service.state === 'maintenance' }
  /** It can be asked for bytes now. */
  get serves(): boolean { return this.state === 'live' || this.state === 'stale' }

  get #working(): StorageState[] { return this.storages.filter(each => !each.failed) }
}
