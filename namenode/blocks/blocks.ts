// Blocks of the namenode, as its other rooms use them: builds the block map, the handling of reports, repair, deletion of excess replicas
// and safe mode, connects them to the node registry, and starts the periodic walks over all blocks.

import type { BlockId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Random } from '../../src/ports/random.ts'
import type { BlockTokens } from '../../src/rpc/token.ts'
import type { Chore } from '../chores.ts'
import type { View } from '../journal/view.ts'
import { knownBlock } from '../namespace/file.ts'
import type { DataNode } from '../nodes/node.ts'
import { Authority } from '../succession/authority.ts'
import type { NumberedOrder } from '../nodes/orders.ts'
import type { NodeListener, NodeRegistry } from '../nodes/registry.ts'
import type { ReportIds } from '../nodes/reportids.ts'
import { Deletions } from './deletions.ts'
import { BlockMap } from './map.ts'
import { Repair } from './repair.ts'
import { Reports } from './reports.ts'
import { SafeMode } from './safemode.ts'
import { Claims } from './claims.ts'
import { Suspects } from './suspects.ts'
import { ExcessReplicas } from './excess.ts'
import { census, Review } from './walk.ts'

interface BlocksOptions {
  readonly view: View
  readonly registry: NodeRegistry
  readonly reportIds: ReportIds
  readonly tokens: BlockTokens
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
  readonly nodeDeadMs: number
  /** Is the block part of a file being written? */
  readonly isOpen: (id: BlockId) => boolean
  /** default: of a directory of which there is no copy. */
  readonly authority?: Authority | undefined
}

interface BlocksListener {
  /** Called once, when the locations of blocks are as complete as they will get. */
  settled?(): void
  /** A datanode has reported that it no longer has this replica. */
  removed?(id: BlockId, node: DataNode): void
}

export class Blocks {
  readonly map: BlockMap
  readonly reports: Reports
  readonly repair: Repair
  readonly excess: ExcessReplicas
  readonly deletions: Deletions
  readonly safe: SafeMode
  readonly authority: Authority
  readonly chores: readonly Chore[]
  readonly #options: BlocksOptions
  readonly #review: Review
  readonly #suspects: Suspects
  readonly #claims: Claims
  readonly #listeners: BlocksListener[] = []
  #counting: Promise<void> | undefined
  #counted = false
  #stopped = false

  constructor(options: BlocksOptions) {
    this.#options = options
    const { view, registry, reportIds, tokens, clock, log, random, nodeDeadMs, isOpen, authority = new Authority() } = options
    const claims = this.#claims = new Claims(registry.awake)
    const map = this.map = new BlockMap(reportIds, (node, id) => claims.add(node, id))
    const review = this.#review = new Review({ map, reportIds, clock })
    const deletions = this.deletions = new Deletions({
      may: (node, id) => this.reports.mayDelete(node, id), isKept: id => knownBlock(view, id) !== undefined,
    })
    const rescan = (): void => review.want()
    const repair = (this.repair = new Repair({
      map, registry, tokens, clock: registry.awake, log, random, rescan, lengthOf: id => knownBlock(view, id)?.length,
      isCorrupt: id => this.reports.isCorrupt(id),
    }))
    const excess = this.excess = new ExcessReplicas({ map, registry, deletions, random, rescan, isCopying: id => repair.isCopying(id) })
    const suspects = this.#suspects = new Suspects(clock)
    this.reports = new Reports({
      view, map, repair, deletions, suspects, claims, log, isOpen, safe: () => this.safe.on,
      onRemoved: (id, node) => { for (const listener of this.#listeners) listener.removed?.(id, node) },
    })
    this.authority = authority
    this.safe = new SafeMode({
      clock: registry.awake, nodeDeadMs, blocks: () => view.counters.blocks, present: () => map.present,
      awaited: () => registry.awaited().length, authority,
      onCopies: () => {
        repair.allow()
        review.want()
        for (const listener of this.#listeners) listener.settled?.()
      },
      onOver: () => {
        log.info('safe mode is over: it is known where blocks lie', { blocks: view.counters.blocks, present: map.present })
        excess.allow()
        if (!authority.frozen) deletions.open()
        review.want()
      },
    })
    registry.listen(this.#nodeListener())
    this.chores = this.#newChores()
  }

  listen(listener: BlocksListener): void { this.#listeners.push(listener) }

  /** Keeps the soft state of replicas in step with datanodes that come and go. */
  #nodeListener(): NodeListener {
    const { safe } = this
    const review = this.#review
    return {
      // Knowledge of its earlier session is void; the session's reports say it all again.
      joined: node => {
        this.#forgetSession(node)
        this.#lookAround()
      },
      dead: node => {
        this.#forgetSession(node)
        this.#lookAround()
        review.want()
      },
      away: node => this.#forgetSession(node),
      returned: () => { if (safe.settled) review.want() }, // it may have the only replica of what could not be copied
      roomChanged: (node, before) => { if (node.inService) this.repair.shortage.roomChanged(before, node) },
      reassigned: () => {
        this.#lookAround()
        review.want()
      },
      reported: () => {
        safe.check()
        if (safe.settled) review.want() // there may be room on it for blocks that no node could take
      },
    }
  }

  #newChores(): Chore[] {
    const { safe, authority, repair, excess } = this
    return [
      { name: 'safe mode', everyMs: 100, work: () => safe.check() },
      { name: 'copy blocks and delete excess replicas', everyMs: 100, work: () => {
        if (authority.frozen) return
        repair.work()
        excess.work()
      } },
      { name: 'collect garbage', everyMs: 500, work: () => this.reports.collect() },
      { name: 'ask nodes for replicas of which only writers have told', everyMs: 1_000, work: () => this.#askForClaimed() },
      // The interval bounds how often a disk whose room goes up and down causes a review.
      { name: 'look for blocks for which a disk has room again', everyMs: 5_000, work: () => {
        if (safe.settled && repair.shortage.takeRelief()) this.#review.want()
      } },
      { name: 'look for blocks that could not be copied', everyMs: 60_000, work: () => { if (safe.settled) this.#review.want() } },
    ]
  }

  /** Begins to read which blocks there should be. */
  start(): void {
    const { view, clock, log } = this.#options
    this.#lookAround()
    this.safe.check()
    this.#counting = census({ view, map: this.map, clock }, () => this.#stopped)
      .then(() => {
        this.#counted = true
        this.safe.check()
      }, (error: unknown) => log.error('the blocks of all files could not be counted', { error }))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([this.#counting, this.#review.stop()])
  }

  /** It is known which blocks there should be, and as well as it will be where they are. */
  get ready(): boolean { return this.#counted && this.safe.settled }

  /** An operator says that nothing may change. */
  enterSafeMode(): void {
    this.safe.enter()
    this.deletions.close()
  }

  /** This namenode is behind its cluster: nothing of what it believes may be acted on. */
  halt(): void {
    this.deletions.close()
  }

  /** An operator ends safe mode, also one that the namenode began. */
  leaveSafeMode(): void {
    this.safe.leave()
    this.deletions.open()
    this.#review.want()
  }

  /** Blocks that lost operations may have made are garbage now: the nodes that hold such blocks report again. */
  releaseLost(): void {
    for (const node of this.reports.unknown.release()) if (node.serves) node.orders.push({ kind: 'report' })
  }

  /** Nodes that hold a block and can be asked for it now. */
  holders(id: BlockId): DataNode[] { return this.map.holders(id).filter(node => node.serves) }

  /** Blocks that no file has: their replicas go. */
  invalidate(blocks: readonly BlockId[]): void {
    for (const id of blocks) for (const node of [...this.map.forget(id), ...this.reports.forget(id)]) this.deletions.add(node, [id])
  }

  /**
   * Blocks of files without a replica: `missing`, and `corrupt` those of them of which bad ones are known. While nodes are
   * still to report, those without a report are `awaited`.
   */
  get unseen(): { readonly missing: number; readonly corrupt: number; readonly awaited: number } {
    const { view, registry } = this.#options
    // Blocks that neither a report nor the census has named count as absent.
    const unseen = Math.max(0, view.counters.blocks - this.map.present)
    if (unseen === 0) return { missing: 0, corrupt: 0, awaited: 0 }
    const corrupt = Math.min(unseen, this.reports.corrupt)
    const waits = !this.safe.settled || registry.unregisteredCount() > 0
    return { corrupt, missing: waits ? corrupt : unseen, awaited: waits ? unseen - corrupt : 0 }
  }

  /** A node has taken these orders over. */
  taken(node: DataNode, orders: readonly NumberedOrder[]): void {
    this.deletions.taken(node, orders.filter(each => each.order.kind === 'delete').map(each => each.seq))
  }

  /** A reader says that a replica is bad. Its own node verifies it before it counts as bad. */
  suspect(id: BlockId, address: string, message: string): void {
    const accused = this.map.holders(id).find(node => node.address === address)
    const asked = accused !== undefined && this.#suspects.accuse(accused, id)
    this.#options.log[asked ? 'warn' : 'debug']('a reader found a replica to be bad; its node checks it', {
      block: id, address, message, known: accused !== undefined, asked,
    })
  }

  #askForClaimed(): void {
    for (const [node, ids] of this.#claims.overdue()) {
      const held = ids.filter(id => this.holders(id).includes(node))
      // Those of which the node cannot be asked now are found by its next full report.
      const asked = held.filter(id => this.#suspects.accuse(node, id)).length
      if (held.length > 0) {
        const facts = { node: node.node, blocks: held.length, asked, first: held[0] }
        this.#options.log.warn('writers have told of replicas, and their node has not; it looks for them', facts)
      }
    }
  }

  /** Throws AssertionFailed if counts, queues and sets of this room do not agree with the block map. For tests and simulations. */
  checkState(): void {
    for (const part of [this.map, this.deletions, this.repair, this.excess, this.reports, this.#claims]) part.checkState()
  }

  /** Facts about the surroundings of blocks, for judging them. */
  #lookAround(): void {
    const { registry } = this.#options
    const racks = new Set(registry.open.map(node => node.rack)).size
    const unregistered = registry.unregisteredCount()
    if (this.map.setTopology({ racks, unregistered })) this.#review.want()
  }

  #forgetSession(node: DataNode): void {
    this.deletions.reset(node)
    this.reports.reset(node)
    this.repair.nodeReset(node)
  }
}
