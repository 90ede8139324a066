// Executes orders of the namenode on a datanode. The session passes each order number once, in order. Long work runs in the background
// with bounded concurrency, and its result reaches the namenode through block reports; a failed copy is reported at once. The namenode
// repeats orders that were lost with this process.

import type { FramePool } from '../../src/block/ring.ts'
import { assert } from '../../src/base/assert.ts'
import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import { blockName, type BlockId, type ClusterId, type NodeId } from '../../src/base/ids.ts'
import { Semaphore } from '../../src/base/queue.ts'
import { unarmed, type Failpoints } from '../../src/ports/failpoints.ts'
import type { LevelControl, Log, LogLevel } from '../../src/ports/log.ts'
import type { CopyFailed, Order } from '../../src/protocol/order.ts'
import { Pipe } from '../../src/file/pipe.ts'
import { sendBlock } from '../../src/file/send.ts'
import { SourceFailed } from '../../src/file/source.ts'
import type { Wires } from '../../src/file/wires.ts'
import { crcOf } from '../../src/block/checksum.ts'
import { limits } from '../../src/base/limits.ts'
import type { Runner } from '../ports.ts'
import type { OpenBlock } from '../store/reader.ts'
import type { BlockStore } from '../store/store.ts'
import { isDamage } from '../store/diskerror.ts'
import type { DeletionGuard } from './guard.ts'

export interface OrdersOptions {
  readonly store: BlockStore
  readonly runner: Runner
  readonly guard: DeletionGuard
  readonly wires: Wires
  readonly pool: FramePool
  readonly log: Log
  readonly logControl?: LevelControl | undefined
  readonly cluster: () => ClusterId
  readonly progressMs: number
  readonly failpoints?: Failpoints | undefined
  /** Sends a full report. */
  readonly report: () => void
  /** Reports a failed copy; best effort. */
  readonly failed: (failure: CopyFailed) => void
  /** Aborts background work when the node stops. */
  readonly signal: AbortSignal
}

/** Concurrent copies: enough to use a disk fully, few enough not to starve readers and writers. */
const copiesMax = 2
const verifiesMax = 1
/** Orders beyond this queue length are dropped; the namenode repeats those that it still needs. */
const waitingMax = 10_000

export class OrderRunner {
  readonly #options: OrdersOptions
  readonly #copies = new Semaphore(copiesMax)
  readonly #verifies = new Semaphore(verifiesMax)
  readonly #copying = new Set<BlockId>()
  readonly #verifying = new Set<BlockId>()
  /** Number of blocks copied to other nodes, for metrics. */
  copied = 0

  constructor(options: OrdersOptions) { this.#options = options }

  /** Throws AssertionFailed if places are taken wrongly, or blocks are marked without an order for them. For tests and simulations. */
  checkState(): void {
    for (const [what, places, busy] of [['copied', this.#copies, this.#copying], ['verified', this.#verifies, this.#verifying]] as const) {
      places.checkState()
      assert(places.waiting <= busy.size, `${places.waiting} orders wait, and ${busy.size} blocks are to be ${what}`)
    }
  }

  /** Accepts an order; never throws, never waits. */
  take(order: Order): void {
    const { store, runner, guard, log } = this.#options
    log.debug('received an order', { kind: order.kind })
    switch (order.kind) {
      case 'replicate': return this.#background(this.#copies, this.#copying, order.block, () => this.#copy(order))
      case 'verify': return this.#background(this.#verifies, this.#verifying, order.block, async () => {
        // The check itself reports a damaged block.
        if (await store.check(order.block, { signal: this.#options.signal }) !== 'damaged') store.announce(order.block)
      })
      case 'delete':
        if (!guard.admit(order.blocks.length)) return
        store.remove(order.blocks).catch((error: unknown) => {
          log.error('blocks could not be removed', { error: asError(error) })
        })
        return
      case 'trust': return guard.trust()
      case 'report': return this.#options.report()
      case 'log': return this.#setLevel(order.level)
      case 'run': return runner.run(order.work)
      case 'kill': return runner.kill(order.attempt)
      case 'forget':
        runner.forget(order.job).catch((error: unknown) => {
          log.error('the files of a job that has ended could not be removed', { error: asError(error), job: order.job })
        })
        return
      default:
        // Possibly an order of a newer namenode; this version has no others.
        order satisfies never
        log.error('an order of an unknown kind is left undone', { kind: (order as Order).kind })
    }
  }

  #setLevel(level: LogLevel): void {
    const { log, logControl } = this.#options
    if (!logControl) return
    log.warn('the level of this log has been changed', { from: logControl.level, to: level })
    logControl.level = level
  }

  #background(places: Semaphore, busy: Set<BlockId>, block: BlockId, work: () => Promise<void>): void {
    const { log, signal } = this.#options
    if (busy.has(block) || places.waiting >= waitingMax) return
    busy.add(block)
    places
      .run(work, signal)
      .catch((error: unknown) => {
        if (!signal.aborted) log.warn('an order failed', { error: asError(error), block: blockName(block) })
      })
      .finally(() => busy.delete(block))
  }

  /** Sends a local block to other nodes. Its checksums are verified while it is read: damage must not be copied, and is reported. */
  async #copy(order: Extract<Order, { kind: 'replicate' }>): Promise<void> {
    const { failed, signal } = this.#options
    const { block, targets } = order
    try {
      const missed = await this.#send(order)
      if (missed.length > 0)
        failed({
          block, targets: missed.map(each => each.node), source: false,
          message: missed
            .map(each => each.message)
            .join('; ')
            .slice(0, 1000),
        })
    } catch (error) {
      const source = error instanceof SourceFailed
      const cause = asError(source ? error.cause : error)
      if (!signal.aborted) failed({ block, targets: targets.map(each => each.node), source, message: cause.message.slice(0, 1000) })
      throw cause
    }
  }

  /** Returns the targets that did not get the block. */
  async #send({
    block: id, targets, token,
  }: Extract<Order, { kind: 'replicate' }>): Promise<ReadonlyArray<{ node: NodeId; message: string }>> {
    const { store, wires, pool, cluster, progressMs, signal, failpoints = unarmed } = this.#options
    await failpoints.reach('block.replicate.before')
    const block = await store.open(id).catch((cause: unknown) => {
      if (hasCode(cause, 'BLOCK_MISSING')) store.announce(id) // else the namenode repeats the order
      throw new SourceFailed('there is no replica to copy', { cause })
    })
    try {
      const pipe = await Pipe.open(
        wires,
        { cluster: cluster(), block: id, bytesMax: block.meta.length, token, members: targets },
        { signal, progressMs },
      )
      const { failed } = await sendBlock(pipe, checkedSource(block), { pool, signal })
      this.copied++
      return failed
    } catch (error) {
      if (error instanceof SourceFailed && isDamage(error.cause)) await store.damaged(id, error.cause)
      // The target has the block already and reports that to the namenode.
      if (!hasCode(error, 'EEXIST')) throw error
      return []
    } finally {
      await block.close()
    }
  }
}

function checkedSource({ data, meta }: OpenBlock): { bytes: number; fill(target: Buffer, position: number): void } {
  const { chunkBytes } = limits
  return {
    bytes: meta.length,
    fill(target, position) {
      const found = data.readSync(target, position)
      for (let at = 0; at < target.length; at += chunkBytes) {
        const chunk = target.subarray(at, at + chunkBytes)
        if (found === target.length && crcOf(chunk) === meta.crcs[(position + at) / chunkBytes]) continue
        throw new GristmillError('CORRUPT', `block ${blockName(meta.id)} is damaged in its chunk at byte ${position + at}`)
      }
    },
  }
}
