// The disks of this node together: which one takes the next block, what becomes of one that refuses, and what is to be done for
// them now and then. A disk fails for good as long as the process lives; one that is full or takes nothing is asked again.

import { asError, GristmillError } from '../../src/base/errors.ts'
import { isExhaustion } from '../../src/base/exhaustion.ts'
import type { Log } from '../../src/ports/log.ts'
import type { StorageState } from '../../src/protocol/heartbeat.ts'
import type { ScannedBlock } from './scan.ts'
import type { Storage } from './storage.ts'
import type { DiskError } from './diskerror.ts'

export class Disks {
  readonly all: readonly Storage[]
  readonly #log: Log
  readonly #onFailed: (storage: Storage, error: unknown) => void

  constructor(all: readonly Storage[], { log, onFailed }: { log: Log; onFailed: (storage: Storage, error: unknown) => void }) {
    this.all = all
    this.#log = log
    this.#onFailed = onFailed
  }

  get noneLeft(): boolean { return this.all.every(each => each.failed) }

  /** What each holds; a disk that cannot be read is left out. Throws what the last one says if that is all of them. */
  async open(): Promise<Array<{ storage: Storage; found: ScannedBlock }>> {
    const opened: Array<{ storage: Storage; found: ScannedBlock }> = []
    for (const storage of this.all) {
      if (storage.failed) continue
      try {
        opened.push({ storage, found: await storage.open() })
      } catch (error) {
        // A node that went on without a healthy disk would lose all of its blocks.
        if (isExhaustion(error)) throw error
        storage.failed = true
        if (this.noneLeft) throw error
        this.#log.error('a directory cannot be read; the node goes on without it', { error: asError(error), dir: storage.dir })
      }
    }
    return opened
  }

  /** Measures the free space of all and tells how they are. */
  async state(): Promise<StorageState[]> {
    await Promise.all(this.all.map(storage => storage.measure()))
    return this.all.map(storage => storage.state)
  }

  /** The one with the most room, but for those that were tried. Reserves the bytes on it. Throws ENOSPC if it has not enough. */
  async reserve(bytes: number, tried: ReadonlySet<Storage>): Promise<Storage> {
    // What it is thought to have may be too little; then it is measured.
    if ((this.#roomiest(tried)?.roomBytes ?? 0) < bytes) await Promise.all(this.all.map(storage => storage.measure()))
    const best = this.#roomiest(tried)
    if (best && best.roomBytes >= bytes) {
      best.reservedBytes += bytes
      return best
    }
    throw new GristmillError(
      'ENOSPC',
      `no directory of this node has room for ${bytes} bytes${best ? `; the best one, ${best.dir}, has ${Math.max(0, best.roomBytes)}` : ''}`,
    )
  }

  #roomiest(tried: ReadonlySet<Storage>): Storage | undefined {
    let best: Storage | undefined
    for (const each of this.all) if (!tried.has(each) && (!best || each.roomBytes > best.roomBytes)) best = each
    return best
  }

  diskError(storage: Storage, diskError: DiskError, error: unknown): void {
    switch (diskError) {
      case 'full':
        storage.freeBytes = 0 // until it is measured again
        return
      case 'closed':
        if (!storage.closed)
          this.#log.error('a directory takes nothing new; what it has can be read', { error: asError(error), dir: storage.dir })
        storage.closed = true
        return
      case 'failed': return this.fail(storage, error)
    }
  }

  fail(storage: Storage, error: unknown): void {
    if (storage.failed) return
    storage.failed = true
    this.#onFailed(storage, error)
  }

  /** What was kept long enough goes, and disks are looked at. */
  async tend(): Promise<void> {
    for (const storage of this.all) {
      if (storage.failed) continue
      if (!await storage.present()) {
        this.fail(
          storage,
          new GristmillError('UNAVAILABLE', `the directory ${storage.dir} is not what it was: its disk has been taken away`),
        )
        continue
      }
      if (storage.closed && !await storage.probe()) {
        storage.closed = false
        this.#log.info('a directory takes blocks again', { dir: storage.dir })
      }
      await storage.tidy().catch((error: unknown) => {
        this.#log.warn('a directory cannot be tidied up', { error: asError(error), dir: storage.dir })
      })
    }
  }
}
