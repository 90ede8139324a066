// Moves replicas from full datanodes to empty ones while a balance request is set: a copy is made first; then the block has one replica
// more than its target, and the full node's replica is deleted (blocks/excess.ts). Repairs come first; the bytes that a node sends and
// receives for moves stay below a rate. There is no plan: each step looks for useful moves (policy.ts) in the current state.
// INVARIANT: no move leaves a block with fewer replicas, or in fewer racks (beyond two) or on fewer hosts.

import type { BlockId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Random } from '../../src/ports/random.ts'
import type { ClusterStatus } from '../../src/protocol/admin.ts'
import type { BalanceState } from '../../src/protocol/service.ts'
import type { Blocks } from '../blocks/blocks.ts'
import { isSure } from '../blocks/excess.ts'
import { health } from '../blocks/health.ts'
import { hostsOf, place, racksOf } from '../blocks/placement.ts'
import type { View } from '../journal/view.ts'
import { knownBlock } from '../namespace/file.ts'
import type { DataNode } from '../nodes/node.ts'
import type { NodeRegistry } from '../nodes/registry.ts'
import { helps, utilizationOf, type Filled, type Utilization } from './policy.ts'
import type { BalanceRequest } from './request.ts'

interface BalancerOptions {
  readonly view: View
  readonly blocks: Blocks
  readonly registry: NodeRegistry
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
}

/** Slots of the block table examined per step. */
const slotsMax = 2_000
/** Upper bound of moves in progress. */
const movesMax = 2_000
/** A move whose old replica is not deleted within this time is no longer counted. */
const goneWithinMs = 60_000

/** A move in progress. Its bytes are added here until heartbeats of target and source include them. */
interface Move {
  readonly source: DataNode
  readonly target: DataNode
  readonly bytes: number
  arrivedMs: number | undefined
  goneMs: number | undefined
}

const beatSince = (node: DataNode, sinceMs: number | undefined): boolean => sinceMs !== undefined && node.beatMs > sinceMs
/** A node's usage with all moves in progress completed. */
interface Side extends Filled { readonly each: DataNode; usedBytes: number; freeBytes: number }

export class Balancer {
  readonly #options: BalancerOptions
  readonly #moves = new Map<BlockId, Move>()
  /** Bytes that a node may move now; at or below zero it waits. */
  readonly #allowed = new Map<DataNode, number>()
  #request: BalanceRequest | undefined
  #last: Pick<BalanceRequest, 'threshold' | 'bytesPerSecond'> = { threshold: 10, bytesPerSecond: 0 }
  #slot = -1
  /** True if the current walk has started or postponed a move. */
  #busy = true
  #lookedMs = 0
  #spread: Utilization<Side> = utilizationOf<Side>([], 0)
  #remark = 'no balance request since this namenode started'
  #counts = { moves: 0, movedBytes: 0, failures: 0 }

  constructor(options: BalancerOptions) {
    this.#options = options
    options.blocks.listen({ removed: (id, node) => this.#replicaRemoved(id, node) })
  }

  get request(): BalanceRequest | undefined { return this.#request }

  /** Sets or clears the request. A new request resets the counts. */
  set(request: BalanceRequest | undefined): void {
    const before = this.#request
    if (
      request?.sinceMs === before?.sinceMs
      && request?.threshold === before?.threshold
      && request?.bytesPerSecond === before?.bytesPerSecond
    ) {
      return
    }
    if (request) {
      this.#counts = { moves: 0, movedBytes: 0, failures: 0 }
      this.#last = request
      this.#remark = 'started'
      this.#allowed.clear()
    } else {
      this.#remark = 'stopped by an operator'
    }
    this.#request = request
    this.#slot = -1
    this.#busy = true
    this.#lookedMs = this.#options.clock.mono()
  }

  /** A node has reported that it no longer has a replica. */
  #replicaRemoved(id: BlockId, node: DataNode): void {
    const move = this.#moves.get(id)
    if (move?.source === node) move.goneMs = this.#options.clock.mono()
  }

  /** The request has completed and is removed from the journal. */
  done(): void { this.#request = undefined }

  get state(): BalanceState {
    const { threshold, bytesPerSecond } = this.#last
    const points = (share: number): number => Math.round(share * 1e6) / 1e4
    const { average, lowest, highest } = this.#look(0)
    return {
      running: this.#request !== undefined, threshold, bytesPerSecond, ...this.#request && { sinceMs: this.#request.sinceMs },
      ...this.#counts,
      pending: this.#pending,
      average: points(average), lowest: points(lowest), highest: points(highest), remark: this.#remark,
    }
  }

  /** Moves so far; undefined while no request is set. Cheaper than `state`. */
  get progress(): ClusterStatus['balancing'] {
    if (!this.#request) return undefined
    const { moves, movedBytes } = this.#counts
    return { sinceMs: this.#request.sinceMs, moves, movedBytes, pending: this.#pending }
  }

  get #pending(): number { return [...this.#moves.values()].filter(move => move.arrivedMs === undefined).length }

  /** One step of the chore. Returns the reason if balancing has ended. */
  work(): string | undefined {
    this.#settle()
    if (!this.#request) return undefined
    const { safe, repair } = this.#options.blocks
    if (safe.on || !repair.idle) {
      this.#remark = 'waiting for repairs'
      return undefined
    }
    this.#allow(this.#request.bytesPerSecond)
    const spread = this.#spread = this.#look(this.#request.threshold / 100)
    const unbalanced = spread.over.length + spread.below.length
    if (unbalanced === 0) {
      return this.#moves.size > 0 ? undefined : this.#end(`balanced: every node is within ${this.#request.threshold} points of the average`)
    }
    this.#remark = `${unbalanced} nodes are further than ${this.#request.threshold} points from the average`
    return this.#walk()
  }

  #end(remark: string): string {
    this.#remark = remark
    return remark
  }

  #walk(): string | undefined {
    const { table } = this.#options.blocks.map
    // A move needs at least one of these nodes.
    if (![...this.#spread.over, ...this.#spread.below].some(({ each }) => this.#mayMove(each))) return undefined
    if (this.#slot < 0) {
      if (!this.#busy && this.#moves.size === 0) return this.#end('as balanced as possible: no further move would improve it')
      this.#slot = table.capacity - 1
      this.#busy = false
    }
    for (let looked = 0; looked < slotsMax && this.#slot >= 0 && this.#moves.size < movesMax; looked++, this.#slot--) {
      const id = table.at(this.#slot)
      if (id !== undefined && table.mark(this.#slot) === health.healthy) this.#consider(id)
    }
    return undefined
  }

  #consider(id: BlockId): void {
    const { view, blocks: { map, repair } } = this.#options
    if (this.#moves.has(id) || repair.isCopying(id)) return
    const holders = map.holders(id)
    // If a holder is decommissioning, in maintenance or stale, other work comes first.
    if (!holders.every(isSure)) return
    const length = knownBlock(view, id)?.length
    if (!length) return
    const spread = this.#spread
    for (const giver of spread.nodes) {
      if (!holders.includes(giver.each)) continue
      const rest = holders.filter(node => node !== giver.each)
      const takers = spread.nodes.filter(
        taker => !holders.includes(taker.each) && helps(spread, giver, taker, length) && keepsApart(holders, [...rest, taker.each]),
      )
      if (this.#move(id, length, giver, takers)) return
    }
  }

  /** Returns true if a target exists, now or once rate and copies in progress allow it. */
  #move(id: BlockId, length: number, giver: Side, takers: readonly Side[]): boolean {
    const { blocks: { repair, excess }, random } = this.#options
    const choose = (sides: readonly Side[]): Side | undefined => {
      const [chosen] = place(sides.map(({ each }) => each), { count: 1, blockBytes: length, held: [], exclude: new Set() }, random)
      return chosen && sides.find(({ node }) => node === chosen.node)
    }
    if (!choose(takers)) return false
    this.#busy = true
    const ready = this.#mayMove(giver.each) ? takers.filter(({ each }) => this.#mayMove(each)) : []
    // Nodes below the threshold come first.
    const target = choose(ready.filter(taker => this.#spread.below.includes(taker))) ?? choose(ready)
    if (!target || !repair.move(id, length, giver.each, target.each)) return true
    excess.prefer(id, giver.each)
    this.#moves.set(id, { source: giver.each, target: target.each, bytes: length, arrivedMs: undefined, goneMs: undefined })
    for (const [side, bytes] of [[giver, -length], [target, length]] as const) {
      side.usedBytes += bytes
      side.freeBytes -= bytes
      this.#allowed.set(side.each, (this.#allowed.get(side.each) ?? 0) - length)
    }
    return true
  }

  #mayMove(node: DataNode): boolean { return (this.#allowed.get(node) ?? 0) > 0 }

  /** Adds to each node's allowance; an unused allowance is kept for one second at most. */
  #allow(bytesPerSecond: number): void {
    const { clock, registry } = this.#options
    const nowMs = clock.mono()
    const more = bytesPerSecond * (nowMs - this.#lookedMs) / 1000
    this.#lookedMs = nowMs
    for (const node of registry.open) this.#allowed.set(node, Math.min(bytesPerSecond, (this.#allowed.get(node) ?? 0) + Math.max(1, more)))
  }

  #look(threshold: number): Utilization<Side> {
    const moved = new Map<DataNode, number>()
    for (const { source, target, bytes, arrivedMs, goneMs } of this.#moves.values()) {
      if (!beatSince(source, goneMs)) moved.set(source, (moved.get(source) ?? 0) - bytes)
      if (!beatSince(target, arrivedMs)) moved.set(target, (moved.get(target) ?? 0) + bytes)
    }
    const sides = this.#options.registry.open.filter(isSure).map((each): Side => {
      const more = moved.get(each) ?? 0
      const usedBytes = Math.max(0, each.usedBytes + more)
      return { each, node: each.node, usedBytes, freeBytes: Math.max(0, each.roomBytes - more) }
    })
    return utilizationOf(sides, threshold)
  }

  /** Updates moves in progress: arrived, deleted, failed. */
  #settle(): void {
    const { blocks: { map, repair, excess }, clock, log } = this.#options
    const nowMs = clock.mono()
    for (const [id, move] of this.#moves) {
      if (move.arrivedMs !== undefined) {
        if ((beatSince(move.target, move.arrivedMs) && beatSince(move.source, move.goneMs)) || nowMs - move.arrivedMs >= goneWithinMs)
          this.#moves.delete(id)
      } else if (!repair.isCopying(id)) {
        if (map.holders(id).includes(move.target)) {
          move.arrivedMs = nowMs
          this.#counts.moves++
          this.#counts.movedBytes += move.bytes
        } else {
          this.#counts.failures++
          this.#moves.delete(id)
          excess.forget(id)
          log.info('a block could not be moved', { block: id, from: move.source.node, to: move.target.node })
        }
      }
    }
  }
}

/** True if racks and hosts stay as many as before; two racks suffice. */
function keepsApart(before: readonly DataNode[], after: readonly DataNode[]): boolean {
  return racksOf(after) >= Math.min(2, racksOf(before)) && hostsOf(after) >= hostsOf(before)
}
