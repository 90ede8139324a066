// Blocks with too few replicas are copied, those with the fewest first, and those with too many lose some. A node sends
// and receives few copies at a time; a copy that is not reported in time is tried again, from or to elsewhere.
// What waits is bounded: when there is no room, or no node to copy to, the block is passed over and found again by a walk
// over the table (walk.ts), which is asked for when there is room again or a node has joined.

import type { BlockId, NodeId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Random } from '../../src/ports/random.ts'
import type { BlockTokens } from '../../src/rpc/token.ts'
import type { DataNode } from '../nodes/node.ts'
import type { Registry } from '../nodes/registry.ts'
import type { Deletions } from './deletions.ts'
import { standing, type BlockMap } from './map.ts'
import { place, surplus } from './placement.ts'

export interface RepairOptions {
  readonly map: BlockMap
  readonly registry: Registry
  readonly deletions: Deletions
  readonly tokens: BlockTokens
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
  /** Length of a block of a file; undefined if it is none any more. */
  readonly lengthOf: (id: BlockId) => number | undefined
  /** Asks for a walk over all blocks. */
  readonly rescan: () => void
}

/** Copies that one node sends, or receives, at a time. */
const copiesMax = 2
/** Blocks that wait in each of the queues. */
const queueMax = 50_000
/** Blocks looked at in one go. */
const sliceMax = 500
/** A copy is given up after this long, plus its length at a slow disk's pace. */
const copyMs = 15_000
const bytesPerMs = 10_000

interface Copy { readonly source: DataNode; readonly targets: Set<DataNode>; readonly untilMs: number }

export class Repair {
  readonly #options: RepairOptions
  /** One replica left, and more than one. */
  readonly #urgent = new Set<BlockId>()
  readonly #under = new Set<BlockId>()
  readonly #over = new Set<BlockId>()
  readonly #copies = new Map<BlockId, Copy>()
  #copying = false
  #trimming = false
  /** Some were passed over. */
  #more = false
  /** Sources that have failed a block of late are asked last. */
  readonly #failed = new Map<BlockId, Set<NodeId>>()

  constructor(options: RepairOptions) {
    this.#options = options
    options.map.onUnder = (id, live) => {
      if (!this.#copying || this.#urgent.size + this.#under.size >= queueMax) this.#more = true
      else if (!this.#copies.has(id)) {
        if (live > 1) this.#urgent.delete(id)
        else this.#under.delete(id);
        (live > 1 ? this.#under : this.#urgent).add(id)
      }
    }
    options.map.onOver = id => {
      if (this.#trimming && this.#over.size < queueMax) this.#over.add(id)
      else this.#more = true
    }
  }

  /** Copies that were ordered and are not reported. */
  get pending(): number { return this.#copies.size }
  get waiting(): number { return this.#urgent.size + this.#under.size + this.#over.size }

  /** Copying is allowed: everybody who should be here is, or has had the time. */
  allowCopies(): void { this.#copying = true }
  /** Removing is allowed: safe mode is over. */
  allowTrims(): void { this.#trimming = true }

  /** A replica was reported. */
  arrived(id: BlockId, node: DataNode): void {
    const copy = this.#copies.get(id)
    if (!copy?.targets.delete(node)) return
    node.receiving--
    if (copy.targets.size === 0) this.#end(id, copy)
  }

  /** A node is gone, or has started again: copies from it and to it are void. */
  gone(node: DataNode): void {
    for (const [id, copy] of this.#copies) {
      if (copy.source !== node && !copy.targets.has(node)) continue
      this.#end(id, copy)
      this.#again(id)
    }
  }

  /** Does what can be done now. */
  work(): void {
    this.#expire()
    if (this.#copying) for (const queue of [this.#urgent, this.#under]) this.#copyFrom(queue)
    if (this.#trimming) this.#trim()
    if (this.#more && this.waiting === 0) {
      this.#more = false
      this.#options.rescan()
    }
  }

  #copyFrom(queue: Set<BlockId>): void {
    let looked = 0
    const busy = this.#options.registry.live.filter(node => node.sending < copiesMax)
    if (busy.length === 0) return
    for (const id of queue) {
      if (looked++ >= sliceMax) return
      const outcome = this.#copy(id)
      // Nobody has a hand free for this one now; it keeps its place.
      if (outcome === 'busy') continue
      queue.delete(id)
    }
  }

  #copy(id: BlockId): 'done' | 'busy' {
    const { map, registry, random, tokens, lengthOf, clock, log } = this.#options
    if (map.standing(id) !== standing.under || this.#copies.has(id)) return 'done'
    const length = lengthOf(id)
    if (length === undefined) return 'done'
    const holders = map.holders(id)
    const failed = this.#failed.get(id)
    const sources = holders.filter(node => node.state === 'live').sort((a, b) => Number(failed?.has(a.node) ?? false) - Number(failed?.has(b.node) ?? false) || a.sending - b.sending)
    const source = sources.find(node => node.sending < copiesMax)
    if (!source) {
      // A silent source is heard of again, or dies; then a walk finds the block.
      if (sources.length === 0) this.#more = true
      return sources.length > 0 ? 'busy' : 'done'
    }
    const free = registry.live.filter(node => node.receiving < copiesMax)
    const targets = place(free, { count: map.target(id) - holders.length, blockBytes: length, held: holders, exclude: new Set() }, random)
    if (targets.length === 0) {
      if (place(registry.live, { count: 1, blockBytes: length, held: holders, exclude: new Set() }, random).length > 0) return 'busy'
      return 'done' // no node can take it; when one joins, a walk finds the block again
    }
    const nodes = targets.map(({ node }) => registry.get(node)!)
    for (const node of nodes) node.receiving++
    source.sending++
    this.#copies.set(id, { source, targets: new Set(nodes), untilMs: clock.mono() + copyMs + length / bytesPerMs })
    source.orders.push({ kind: 'replicate', block: id, length, targets: nodes.map(node => node.place), token: tokens.issue({ mode: 'write', block: id }) })
    log.debug('a copy was ordered', { block: id, from: source.node, to: nodes.map(node => node.node) })
    return 'done'
  }

  #end(id: BlockId, copy: Copy): void {
    this.#copies.delete(id)
    copy.source.sending--
    for (const node of copy.targets) node.receiving--
  }

  #expire(): void {
    const { clock, log } = this.#options
    const now = clock.mono()
    for (const [id, copy] of this.#copies) {
      // Copies were ordered in this order, and nearly all live equally long.
      if (copy.untilMs > now) break
      log.warn('a copy was not reported in time; it is tried again', { block: id, from: copy.source.node, to: [...copy.targets].map(node => node.node) })
      this.#end(id, copy)
      if (this.#failed.size > 10_000) this.#failed.clear()
      this.#failed.set(id, (this.#failed.get(id) ?? new Set()).add(copy.source.node))
      this.#again(id)
    }
  }

  #again(id: BlockId): void {
    const { map } = this.#options
    if (map.standing(id) === standing.under) map.onUnder(id, map.holders(id).length)
  }

  #trim(): void {
    let looked = 0
    const byNode = new Map<DataNode, BlockId[]>()
    for (const id of this.#over) {
      if (looked++ >= sliceMax) break
      this.#over.delete(id)
      for (const node of this.#extra(id)) {
        const blocks = byNode.get(node)
        if (blocks) blocks.push(id)
        else byNode.set(node, [id])
      }
    }
    for (const [node, blocks] of byNode) this.#options.deletions.add(node, blocks)
  }

  /**
   * Replicas to remove. Those that stay are on nodes that were heard of just now and have reported everything: what
   * might be gone does not count, so the last copy that is known to be there is never among those that go.
   */
  #extra(id: BlockId): DataNode[] {
    const { map, registry, random } = this.#options
    if (map.standing(id) !== standing.over || this.#copies.has(id)) return []
    const sure = map.holders(id).filter(node => node.state === 'live' && node.reported)
    const gone: DataNode[] = []
    while (sure.length > map.target(id)) {
      const node = registry.get(surplus(sure, random)!.node)!
      sure.splice(sure.indexOf(node), 1)
      map.drop(id, node)
      gone.push(node)
    }
    return gone
  }
}
