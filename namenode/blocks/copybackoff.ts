// Backoff of failed block copies: the nodes that failed a block, and the time of its next attempt. Each failure doubles the
// wait, from 0.5 s to 30 s, so that a block that cannot be copied costs little. Bounded: above 10,000 blocks the oldest entry
// is dropped.

import type { BlockId } from '../../src/base/ids.ts'
import type { DataNode } from '../nodes/node.ts'

const max = 10_000
const firstMs = 500
const longestMs = 30_000
/** After this long without a failure a block's failures are forgotten. */
const forgetMs = 300_000

interface Backoff { count: number; untilMs: number; atMs: number; readonly nodes: Set<DataNode>; last: ReadonlySet<DataNode> }

export class CopyBackoff {
  readonly #blocks = new Map<BlockId, Backoff>()

  get size(): number { return this.#blocks.size }

  note(id: BlockId, nodes: Iterable<DataNode>, nowMs: number): void {
    const known = this.#blocks.get(id)
    const backoff = known ?? { count: 0, untilMs: 0, atMs: 0, nodes: new Set<DataNode>(), last: new Set<DataNode>() }
    backoff.atMs = nowMs
    backoff.untilMs = nowMs + Math.min(longestMs, firstMs * 2 ** Math.min(20, backoff.count++))
    backoff.last = new Set(nodes)
    for (const node of backoff.last) backoff.nodes.add(node)
    this.#blocks.delete(id) // move to the end of the map
    this.#blocks.set(id, backoff)
    if (this.#blocks.size > max) for (const oldest of this.#blocks.keys()) { this.#blocks.delete(oldest); break }
  }

  /** The block was copied, or needs no copy any more. */
  forget(id: BlockId): void { this.#blocks.delete(id) }

  /** True if the block may be tried now. */
  ready(id: BlockId, nowMs: number): boolean {
    const backoff = this.#blocks.get(id)
    if (backoff && nowMs - backoff.atMs > forgetMs) this.#blocks.delete(id)
    return !backoff || backoff.untilMs <= nowMs
  }

  /** True if the node has failed this block. */
  has(id: BlockId, node: DataNode): boolean { return this.#blocks.get(id)?.nodes.has(node) ?? false }

  /** Nodes to try next: those that never failed the block; if there are none, those that did not fail it last; else all. */
  best<N extends DataNode>(id: BlockId, nodes: readonly N[]): readonly N[] {
    const backoff = this.#blocks.get(id)
    if (!backoff) return nodes
    const fresh = nodes.filter(node => !backoff.nodes.has(node))
    if (fresh.length > 0) return fresh
    const others = nodes.filter(node => !backoff.last.has(node))
    return others.length > 0 ? others : nodes
  }
}
