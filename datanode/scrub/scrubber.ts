// Reads every block of one disk, again and again, and compares it with its checksums: damage is found while there are good replicas
// left, and not when somebody wants the bytes. A pass is spread over the period, so that it is a small part of what the disk can
// do; it never reads faster than the rate, and a quarter as fast while others move blocks.
//
// Between two blocks as much time passes as the first one's share of the bytes is of the period. Time during which no process ran
// counts too, so that a node that is often restarted comes round as well.

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
  /** Are others moving blocks now? */
  readonly busy: () => boolean
}

/** Of the period: what is left is for days on which others need the disk. */
const share = 0.8
/** Never longer, however few the blocks are: there may be more by then. */
const sleepMsMax = 3_600_000
const emptyMsMax = 60_000
const saveMs = 60_000
/** Blocks whose ids are fetched at a time. */
const batchMax = 1000
/** Between two pauses. */
const paceBytes = 1 * MiB

export class Scrubber {
  readonly #options: ScrubberOptions
  readonly #cursor: ScrubCursor
  #place: ScrubPosition
  #savedMs = Number.NEGATIVE_INFINITY
  /** The last block was checked then, on the monotonic clock. */
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

  private constructor(options: ScrubberOptions, cursor: ScrubCursor, place: ScrubPosition) {
    const { clock, periodMs } = options
    this.#options = options
    this.#cursor = cursor
    this.#place = place
    this.#checkedMs = clock.mono() - Math.min(periodMs, Math.max(0, clock.now() - place.checkedMs))
  }

  get dir(): string { return this.#options.storage.dir }
  /** When the last pass ended, in wall-clock milliseconds. */
  get passedMs(): number | undefined { return this.#place.passedMs }

  /** Goes on until `signal` aborts; never rejects. */
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

  /** Checks every block of the disk now, as fast as the disk is. */
  async all(signal: AbortSignal): Promise<void> {
    for (let after = 0 as BlockId; ;) {
      const ids = this.#idsAfter(after)
      if (ids.length === 0) break
      for (const id of ids) await this.#check(id, signal)
      after = ids.at(-1)!
    }
    this.#place = { ...this.#place, passedMs: Math.floor(this.#options.clock.now()) }
  }

  /** Checks the next block, if it is time for it; begins anew after the last one. */
  async #step(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const id = this.#next()
    if (id !== undefined && this.#waitMs() > 0) return
    if (id === undefined) {
      // An empty disk is not a pass; one that had blocks has been read to its end.
      if (this.#place.after > 0) this.#place = { ...this.#place, after: 0 as BlockId, passedMs: Math.floor(clock.now()) }
      return this.#save()
    }
    await this.#check(id, signal, bytes => this.#pause(bytes, signal))
    this.#batch = this.#batch.slice(1)
    this.#checkedMs = clock.mono()
    this.#place = { ...this.#place, after: id, checkedMs: Math.floor(clock.now()) }
    if (clock.mono() - this.#savedMs >= saveMs) await this.#save()
  }

  /** How long until the next block is due. */
  #waitMs(): number {
    const { clock, store, storage, periodMs } = this.#options
    const id = this.#next()
    if (id === undefined) return this.#place.after > 0 ? 0 : Math.min(emptyMsMax, periodMs * share)
    const part = (store.find(id)?.length ?? 0) / Math.max(1, storage.usedBytes)
    return Math.min(sleepMsMax, Math.max(0, this.#checkedMs + Math.min(1, part) * periodMs * share - clock.mono()))
  }

  #next(): BlockId | undefined {
    const { store } = this.#options
    while (this.#batch.length > 0 && !store.has(this.#batch[0]!)) this.#batch = this.#batch.slice(1)
    if (this.#batch.length === 0) this.#batch = this.#idsAfter(this.#place.after)
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
      await this.#cursor.save(this.#place)
    } catch (error) {
      log.debug('how far the scrubber has come cannot be written down', { error: asError(error), dir: this.dir })
    }
  }
}
