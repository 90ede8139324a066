// Scrubber of one disk: reads every block periodically and compares it with its checksums, so that damage is found while other good
// replicas exist and not only when a client reads the block. A pass is spread over the period, so that it takes a small part of the
// disk's bandwidth; it never reads faster than `bytesPerSecond`, and at a quarter of that rate while transfers run.
//
// The wait before a block is in proportion to its share of the disk's bytes. Time during which the process did not run counts as well,
// so that a node that is often restarted still completes its passes.

import { asError } from '../../src/base/errors.ts'
import type { BlockId } from '../../src/base/ids.ts'
import { MiB } from '../../src/base/units.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Storage } from '../store/storage.ts'
import type { BlockStore } from '../store/store.ts'
import { ScrubCursor, type ScrubPosition } from './cursor.ts'

export interface ScrubberOptions {
  readonly store: BlockStore
  readonly storage: Storage
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Log
  readonly periodMs: number
  readonly bytesPerSecond: number
  /** True while transfers move blocks. */
  readonly busy: () => boolean
}

/** Part of the period in which a pass should end; the rest is reserve for times at which transfers need the disk. */
const share = 0.8
/** Longest wait between two blocks, however few there are: new ones may have arrived. */
const sleepMsMax = 3_600_000
const emptyMsMax = 60_000
const saveMs = 60_000
/** Block ids fetched at a time. */
const batchMax = 1000
/** Bytes read between two waits of the rate limit. */
const paceBytes = 1 * MiB

export class Scrubber {
  readonly #options: ScrubberOptions
  readonly #cursor: ScrubCursor
  #position: ScrubPosition
  #savedMs = Number.NEGATIVE_INFINITY
  /** Monotonic time at which the last block was checked. */
  #checkedMs = 0
  #batch: readonly BlockId[] = []
  /** Since the start, for metrics. */
  blocks = 0
  bytes = 0
  bad = 0

  static async open(options: ScrubberOptions): Promise<Scrubber> {
    const cursor = new ScrubCursor(options.disk, options.storage.dir)
    return new Scrubber(options, cursor, await cursor.load(options.clock.now()))
  }

  private constructor(options: ScrubberOptions, cursor: ScrubCursor, position: ScrubPosition) {
    const { clock, periodMs } = options
    this.#options = options
    this.#cursor = cursor
    this.#position = position
    this.#checkedMs = clock.mono() - Math.min(periodMs, Math.max(0, clock.now() - position.checkedMs))
  }

  get dir(): string { return this.#options.storage.dir }
  /** Wall-clock time at which the last pass ended, in milliseconds. */
  get passedMs(): number | undefined { return this.#position.passedMs }

  /** Runs until `signal` aborts or the disk fails; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, storage } = this.#options
    while (!signal.aborted && !storage.failed) {
      try {
        await clock.sleep(this.#waitMs(), signal)
        await this.#step(signal)
      } catch (error) {
        if (signal.aborted) break
        log.warn('a block cannot be scrubbed now', { error: asError(error), dir: this.dir })
        await clock.sleep(emptyMsMax, signal).catch(() => {})
      }
    }
    if (!storage.failed) await this.#save()
  }

  /** Checks every block of the disk now, without the rate limit. */
  async all(signal: AbortSignal): Promise<void> {
    for (let after = 0 as BlockId; ;) {
      const ids = this.#idsAfter(after)
      if (ids.length === 0) break
      for (const id of ids) await this.#check(id, signal)
      after = ids.at(-1)!
    }
    this.#position = { ...this.#position, passedMs: Math.floor(this.#options.clock.now()) }
  }

  /** Checks the next block if it is due; starts the next pass after the last block. */
  async #step(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const id = this.#next()
    if (id !== undefined && this.#waitMs() > 0) return
    if (id === undefined) {
      // An empty disk counts as no pass.
      if (this.#position.after > 0) this.#position = { ...this.#position, after: 0 as BlockId, passedMs: Math.floor(clock.now()) }
      return this.#save()
    }
    await this.#check(id, signal, bytes => this.#pause(bytes, signal))
    this.#batch = this.#batch.slice(1)
    this.#checkedMs = clock.mono()
    this.#position = { ...this.#position, after: id, checkedMs: Math.floor(clock.now()) }
    if (clock.mono() - this.#savedMs >= saveMs) await this.#save()
  }

  /** Milliseconds until the next block is due. */
  #waitMs(): number {
    const { clock, store, storage, periodMs } = this.#options
    const id = this.#next()
    if (id === undefined) return this.#position.after > 0 ? 0 : Math.min(emptyMsMax, periodMs * share)
    const part = (store.find(id)?.length ?? 0) / Math.max(1, storage.usedBytes)
    return Math.min(sleepMsMax, Math.max(0, this.#checkedMs + Math.min(1, part) * periodMs * share - clock.mono()))
  }

  #next(): BlockId | undefined {
    const { store } = this.#options
    while (this.#batch.length > 0 && !store.has(this.#batch[0]!)) this.#batch = this.#batch.slice(1)
    if (this.#batch.length === 0) this.#batch = this.#idsAfter(this.#position.after)
    return this.#batch[0]
  }

  #idsAfter(after: BlockId): BlockId[] {
    const { store, storage } = this.#options
    const found: BlockId[] = []
    for (const id of store.ids() as unknown as Iterable<BlockId>) {
      if (id <= after || store.find(id)?.storage !== storage.id) continue
      if (found.push(id) === batchMax) break
    }
    return found
  }

  async #check(id: BlockId, signal: AbortSignal, pace?: (bytes: number) => Promise<void>): Promise<void> {
    const length = this.#options.store.find(id)?.length ?? 0
    const result = await this.#options.store.check(id, { signal, pace })
    if (result === 'gone') return
    this.blocks++
    this.bytes += length
    if (result === 'damaged') this.bad++
  }

  #unpaced = 0
  async #pause(bytes: number, signal: AbortSignal): Promise<void> {
    const { clock, bytesPerSecond, busy } = this.#options
    this.#unpaced += bytes
    if (this.#unpaced < paceBytes) return
    const ms = this.#unpaced / bytesPerSecond * 1000
    this.#unpaced = 0
    await clock.sleep(busy() ? ms * 4 : ms, signal)
  }

  async #save(): Promise<void> {
    const { clock, log } = this.#options
    this.#savedMs = clock.mono()
    try {
      await this.#cursor.save(this.#position)
    } catch (error) {
      log.debug('the position of the scrubber cannot be saved', { error: asError(error), dir: this.dir })
    }
  }
}
