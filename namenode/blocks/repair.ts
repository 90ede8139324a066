// Copies blocks that have too few replicas, or all of them in one rack, highest priority first. Chooses the source of each copy and the
// nodes that may be its target; placement.ts chooses one of these. Copies in progress per node are bounded in number and bytes. A copy
// that fails, or is not reported in time, is tried again elsewhere after a backoff. The balancer's moves use the same orders.
// INVARIANT: a block has at most one copy order in progress.

import { assert } from '../../src/base/assert.ts'
import type { BlockId } from '../../src/base/ids.ts'
import { MiB } from '../../src/base/units.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Random } from '../../src/ports/random.ts'
import type { CopyFailed } from '../../src/protocol/order.ts'
import type { BlockTokens } from '../../src/rpc/token.ts'
import type { CopyLoad } from '../nodes/copyload.ts'
import type { DataNode } from '../nodes/node.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import type { BlockMap } from './map.ts'
import { hasRoom as hasDiskRoom, place } from './placement.ts'
import { Queues } from './queues.ts'
import { CopyBackoff } from './copybackoff.ts'
import { RoomShortage } from './shortage.ts'
import { hopeless, levelOf, health, type Level, type Health, type ReplicaCounts } from './health.ts'

interface RepairOptions {
  readonly map: BlockMap
  readonly registry: NodeRegistry
  readonly tokens: BlockTokens
  readonly clock: Pick<Clock, 'mono'>
  readonly log: Log
  readonly random: Random
  /** Length of a file's block; undefined if it belongs to no file. */
  readonly lengthOf: (id: BlockId) => number | undefined
  /** True if the block has no good replica and a bad one is known. */
  readonly isCorrupt: (id: BlockId) => boolean
  /** Requests a review of all blocks. */
  readonly rescan: () => void
}

/** Copies that one node sends, or receives, at a time: enough small ones to keep it busy until the next call of `work`. */
const copiesMax = 32
/** Bytes of these copies: two full blocks; four for level 0. One copy is always allowed, however large. */
const bytesMax = 256 * MiB
const urgentBytesMax = 512 * MiB
/** Bound of each level's queue. */
const queueMax = 50_000
/** Blocks of a level examined per call of `work`. */
const sliceMax = 500
/** Timeout of a copy, plus the time that its nodes need for the copies ordered before it, at a slow disk's 10 MB/s. */
const copyMs = 15_000
const bytesPerMs = 10_000

interface Copy {
  readonly source: DataNode
  readonly targets: Set<DataNode>
  readonly bytes: number
  readonly untilMs: number
  readonly level: Level | 'move'
}

export class Repair {
  readonly #options: RepairOptions
  readonly #queues = new Queues(queueMax)
  readonly #copies = new Map<BlockId, Copy>()
  readonly #backoff = new CopyBackoff()
  /** Blocks that were dropped because no node had room for them. */
  readonly shortage = new RoomShortage()
  #copying = false
  /** True if blocks were skipped, for lack of space in a queue or before copying was allowed. */
  #more = false
  /** Bytes of blocks whose copies have arrived. */
  copiedBytes = 0

  constructor(options: RepairOptions) {
    this.#options = options
    options.map.listen((id, now, tally) => this.#healthChanged(id, now, tally))
  }

  /** Copies that were ordered and are not yet reported. */
  get pending(): number { return this.#copies.size }
  /** Those of them that are moves of the balancer. */
  get moving(): number { return [...this.#copies.values()].filter(({ level }) => level === 'move').length }
  get waiting(): number { return this.#queues.size }
  /** Number of waiting blocks, by level. */
  get levels(): number[] { return this.#queues.sizes }
  /** True if no block waits that could be copied: the balancer may use the nodes. */
  get idle(): boolean { return this.#copying && this.#queues.sizes.every((size, level) => size === 0 || level === hopeless) }

  isCopying(id: BlockId): boolean { return this.#copies.has(id) }

  /** Copying is allowed: all known nodes have reported, or had time to. */
  allow(): void { this.#copying = true }

  /** Takes a block's current health. */
  #healthChanged(id: BlockId, now: Health, tally: ReplicaCounts): void {
    if (now === health.under || now === health.misplaced) {
      const waits = this.#copying && !this.#copies.has(id)
      // It may have waited without hope until now.
      if (!waits) this.#queues.remove(id)
      else if (!this.#queues.put(id, levelOf(tally, this.#options.map.target(id), now))) this.#more = true
      if (!this.#copying) this.#more = true
    } else if (now === health.missing && this.#options.isCorrupt(id)) {
      this.#queues.put(id, hopeless)
    } else {
      this.#queues.remove(id)
      if (now !== health.missing) this.#backoff.forget(id)
      // The block no longer belongs to a file.
      const copy = now === health.open ? this.#copies.get(id) : undefined
      if (copy) this.#end(id, copy)
    }
  }

  /** A node has reported a replica. */
  arrived(id: BlockId, node: DataNode): void {
    const copy = this.#copies.get(id)
    if (!copy?.targets.delete(node)) return
    node.receiving.end(copy.bytes)
    this.copiedBytes += copy.bytes
    if (copy.targets.size === 0) this.#end(id, copy)
  }

  /** A node has failed to carry out a copy order; `source`: the fault is its own. */
  failed(node: DataNode, { block: id, targets, source, message }: CopyFailed): void {
    const copy = this.#copies.get(id)
    if (copy?.source !== node) return
    const { clock, log } = this.#options
    const missed = [...copy.targets].filter(target => targets.includes(target.node))
    if (missed.length === 0) return
    log.warn('a copy failed; it is tried again', { block: id, from: node.node, to: missed.map(each => each.node), message })
    this.#backoff.note(id, source ? [node] : missed, clock.mono())
    for (const each of missed) {
      copy.targets.delete(each)
      each.receiving.end(copy.bytes)
    }
    if (copy.targets.size === 0) this.#end(id, copy)
  }

  /** A node is dead, or has restarted: copies from it and to it are void. */
  nodeReset(node: DataNode): void {
    for (const [id, copy] of this.#copies) if (copy.source === node || copy.targets.has(node)) this.#end(id, copy)
  }

  /** One step: ends overdue copies and orders new ones. */
  work(): void {
    const { registry, rescan } = this.#options
    this.#expire()
    if (!this.#copying) return
    for (const level of [0, 1, 2, 3] as const) {
      const free = registry.open.some(node => hasRoom(node.receiving, 0, level))
      if (free) this.#queues.offer(level, sliceMax, id => this.#copy(id, level))
    }
    if (!this.#more || this.waiting > queueMax / 2) return
    this.#more = false
    rescan()
  }

  /** Orders a copy from one node to another, if both have capacity for it. */
  move(id: BlockId, length: number, source: DataNode, target: DataNode): boolean {
    if (this.#copies.has(id) || !this.#backoff.ready(id, this.#options.clock.mono()) || this.#backoff.has(id, target)) return false
    if (!hasRoom(source.sending, length, 'move') || !hasRoom(target.receiving, length, 'move'))
      return false
    this.#order(id, { source, targets: [target], length, level: 'move' })
    return true
  }

  /** Returns false if the block stays in its queue. */
  #copy(id: BlockId, level: Level): boolean {
    const { map, registry, random, lengthOf, clock } = this.#options
    const now = map.health(id)
    if (now !== health.under && now !== health.misplaced || this.#copies.has(id)) return true
    const length = lengthOf(id)
    if (length === undefined) return true
    if (!this.#backoff.ready(id, clock.mono())) return false
    const holders = map.holders(id)
    const sources = holders.filter(node => node.state === 'live')
    if (sources.length === 0) return true // when a stale node reports again, a review finds the block
    const failedBefore = (node: DataNode): number => Number(this.#backoff.has(id, node))
    const source = sources
      .filter(node => hasRoom(node.sending, length, level))
      .sort((a, b) => failedBefore(a) - failedBefore(b) || a.sending.bytes - b.sending.bytes)[0]
    if (!source) return false

    const counted = holders.filter(node => node.inService || node.inMaintenance)
    const racks = new Set(counted.map(node => node.rack))
    const leaving = new Set(holders.filter(node => !counted.includes(node)).map(node => node.node))
    const candidates = (nodes: readonly DataNode[]): DataNode[] =>
      nodes.filter(node => !holders.includes(node) && !(now === health.misplaced && racks.has(node.rack)))
    const choose = (nodes: readonly DataNode[]): DataNode[] => {
      const wanted = { count: now === health.misplaced ? 1 : map.tally(id).lacking, blockBytes: length, held: counted, exclude: leaving }
      const rest = candidates(nodes)
      const good = place(this.#backoff.best(id, rest), wanted, random)
      return (good.length > 0 ? good : place(rest, wanted, random)).map(each => registry.get(each.node)!)
    }
    const open = registry.open
    const targets = choose(open.filter(node => hasRoom(node.receiving, length, level)))
    if (targets.length === 0) {
      if (choose(open).length > 0) return false
      // No node can take a copy: a review finds the block again when a node joins or gets room.
      if (candidates(open).some(node => !hasDiskRoom(node, length))) this.shortage.note(length)
      return true
    }
    this.#order(id, { source, targets, length, level })
    return true
  }

  #order(
    id: BlockId,
    { source, targets, length, level }: { source: DataNode; targets: readonly DataNode[]; length: number; level: Copy['level'] },
  ): void {
    const { tokens, clock, log } = this.#options
    source.sending.begin(length)
    for (const node of targets) node.receiving.begin(length)
    const before = Math.max(source.sending.bytes, ...targets.map(node => node.receiving.bytes))
    this.#copies.set(id, { source, targets: new Set(targets), bytes: length, untilMs: clock.mono() + copyMs + before / bytesPerMs, level })
    source.orders.push({
      kind: 'replicate', block: id, length, targets: targets.map(node => node.place), token: tokens.issue({ mode: 'write', block: id }),
    })
    log.debug('a copy was ordered', { block: id, level, from: source.node, to: targets.map(node => node.node) })
  }

  /** Throws AssertionFailed if queues, copies and the loads of nodes do not agree. For tests and simulations. */
  checkState(): void {
    const { map, registry } = this.#options
    this.#queues.checkState((id, level) => {
      const now = map.health(id)
      if (level === hopeless) return now === health.missing
      return (now === health.under || now === health.misplaced) && !this.#copies.has(id)
    })
    const loads = new Map<CopyLoad, number[]>()
    const count = (load: CopyLoad, bytes: number): void => void loads.set(load, [...loads.get(load) ?? [], bytes])
    for (const [id, { source, targets, bytes }] of this.#copies) {
      assert(targets.size > 0 && !targets.has(source), `block ${id} is being copied from ${source.node} to ${targets.size} other nodes`)
      count(source.sending, bytes)
      for (const target of targets) count(target.receiving, bytes)
    }
    for (const { node, sending, receiving } of registry.all) {
      sending.checkState(`${node}, which sends`, loads.get(sending) ?? [])
      receiving.checkState(`${node}, which receives`, loads.get(receiving) ?? [])
    }
  }

  /** Ends a copy; the block is queued again if replicas are still missing. */
  #end(id: BlockId, copy: Copy): void {
    this.#copies.delete(id)
    copy.source.sending.end(copy.bytes)
    for (const node of copy.targets) node.receiving.end(copy.bytes)
    this.#options.map.again(id)
  }

  #expire(): void {
    const { clock, log } = this.#options
    const now = clock.mono()
    for (const [id, copy] of this.#copies) {
      if (copy.untilMs > now) continue
      log.warn('a copy was not reported in time; it is tried again', {
        block: id, from: copy.source.node, to: [...copy.targets].map(node => node.node),
      })
      this.#backoff.note(id, [copy.source, ...copy.targets], now)
      this.#end(id, copy)
    }
  }
}

/** True if a copy of a block of this length may be added to those that a node sends, or receives. */
function hasRoom({ count, bytes }: CopyLoad, length: number, level: Copy['level']): boolean {
  return count === 0 || count < copiesMax && bytes + length <= (level === 0 ? urgentBytesMax : bytesMax)
}
