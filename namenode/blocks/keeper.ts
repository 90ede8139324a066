// Everything about replicas, put together: the map, what reports say, what is copied, trimmed and deleted, safe mode, and
// the walks behind it all. The namenode gives it nodes and files; it gives them orders.

import type { BlockId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Random } from '../../src/ports/random.ts'
import type { BlockTokens } from '../../src/rpc/token.ts'
import type { Chore } from '../housekeeping.ts'
import type { View } from '../journal/view.ts'
import { knownBlock } from '../namespace/file.ts'
import type { DataNode } from '../nodes/node.ts'
import type { NumberedOrder } from '../nodes/orders.ts'
import type { Registry } from '../nodes/registry.ts'
import type { Terms } from '../nodes/terms.ts'
import { Deletions } from './deletions.ts'
import { BlockMap } from './map.ts'
import { Repair } from './repair.ts'
import { Reports } from './reports.ts'
import { SafeMode } from './safe.ts'
import { census, Review } from './walk.ts'

export interface KeeperOptions {
  readonly view: View
  readonly registry: Registry
  readonly terms: Terms
  readonly tokens: BlockTokens
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
  readonly nodeDeadMs: number
  /** Is the block part of a file being written? */
  readonly isOpen: (id: BlockId) => boolean
  /** It is known as well as it will be where blocks lie. */
  readonly onSettled: () => void
}

export class Keeper {
  readonly map: BlockMap
  readonly reports: Reports
  readonly repair: Repair
  readonly deletions: Deletions
  readonly safe: SafeMode
  readonly chores: readonly Chore[]
  readonly #options: KeeperOptions
  readonly #review: Review
  #counted: Promise<void> | undefined
  #stopped = false

  constructor(options: KeeperOptions) {
    this.#options = options
    const { view, registry, terms, tokens, clock, log, random, nodeDeadMs, isOpen, onSettled } = options
    const map = this.map = new BlockMap(terms)
    const review = this.#review = new Review({ map, terms, clock })
    const deletions = this.deletions = new Deletions((node, id) => this.reports.mayDelete(node, id))
    const repair = this.repair = new Repair({ map, registry, deletions, tokens, clock, log, random, lengthOf: id => knownBlock(view, id)?.length, rescan: () => review.want() })
    this.reports = new Reports({ view, map, repair, deletions, log, isOpen, safe: () => this.safe.on })
    const safe = this.safe = new SafeMode({
      clock, nodeDeadMs, blocks: () => view.counters.blocks, present: () => map.present, awaited: () => registry.awaited().length,
      onCopies: () => {
        repair.allowCopies()
        review.want()
        onSettled()
      },
      onOver: () => {
        log.info('safe mode is over: it is known where blocks lie', { blocks: view.counters.blocks, present: map.present })
        repair.allowTrims()
        deletions.open()
        review.want()
      },
    })
    registry.listen({
      // What was known of its earlier session is void; the session's reports say it all again.
      joined: node => { this.#forgetSession(node) },
      lost: node => {
        this.#forgetSession(node)
        review.want()
      },
      reported: () => {
        safe.check()
        if (safe.settled) review.want() // there may be room on it for blocks that no node could take
      },
    })
    this.chores = [
      { name: 'safe mode', everyMs: 100, work: () => safe.check() },
      { name: 'copy and trim blocks', everyMs: 100, work: () => repair.work() },
      { name: 'collect garbage', everyMs: 500, work: () => this.reports.collect() },
      { name: 'look for blocks that could not be copied', everyMs: 60_000, work: () => { if (safe.settled) review.want() } },
    ]
  }

  /** Begins to read which blocks there should be. */
  start(): void {
    const { view, clock, log } = this.#options
    this.safe.check()
    this.#counted = census({ view, map: this.map, clock }, () => this.#stopped)
      .then(() => this.safe.check(), (error: unknown) => log.error('the blocks of all files could not be counted', { error }))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([this.#counted, this.#review.stop()])
  }

  /** Nodes that hold a block and can be asked for it now. */
  holders(id: BlockId): DataNode[] { return this.map.holders(id).filter(node => node.serves) }

  /** Blocks that no file has: their replicas go. */
  discard(blocks: readonly BlockId[]): void {
    for (const id of blocks) for (const node of this.map.forget(id)) this.deletions.add(node, [id])
  }

  /** A node has taken these orders over. */
  taken(node: DataNode, orders: readonly NumberedOrder[]): void {
    this.deletions.taken(node, orders.filter(each => each.order.kind === 'delete').map(each => each.seq))
  }

  /** A reader says that a replica is bad. Its own node looks before anybody believes it. */
  suspect(id: BlockId, address: string, message: string): void {
    const accused = this.map.holders(id).find(node => node.address === address)
    this.#options.log.warn('a reader found a replica to be bad; its node checks it', { block: id, address, message, known: accused !== undefined })
    accused?.orders.push({ kind: 'verify', block: id })
  }

  #forgetSession(node: DataNode): void {
    this.deletions.reset(node)
    this.reports.reset(node)
    this.repair.gone(node)
  }
}
