// All disks of a datanode: choice of the disk for the next block, handling of disk errors, periodic maintenance. A failed disk stays
// failed until the process restarts, and its replicas are lost to this node; a full or closed disk is tried again.

import { unreachable } from '../../src/base/assert.ts'
import { asError, GristmillError } from '../../src/base/errors.ts'
import { isExhaustion } from '../../src/base/exhaustion.ts'
import type { BlockId } from '../../src/base/ids.ts'
import type { Log } from '../../src/ports/log.ts'
import type { StorageState } from '../../src/protocol/heartbeat.ts'
import type { DiskError } from './diskerror.ts'
import type { Replicas } from './replicas.ts'
import type { ScannedBlock } from './scan.ts'
import type { Storage } from './storage.ts'

export interface DiskListener {
  /** A directory has failed; its blocks are out of the index. `last`: all directories have failed now. */
  failed(storage: Storage, error: unknown, last: boolean): void
}

interface DisksDeps {
  readonly log: Log
  readonly replicas: Replicas
  readonly listener: DiskListener
}

export class Disks {
  readonly all: readonly Storage[]
  readonly #deps: DisksDeps

  constructor(all: readonly Storage[], deps: DisksDeps) {
    this.all = all
    this.#deps = deps
  }

  get #noneLeft(): boolean { return this.all.every(each => each.failed) }

  /** Opens and scans each disk; one that cannot be read is marked as failed. Throws the last one's error if none is left. */
  async open(): Promise<Array<{ storage: Storage; found: ScannedBlock }>> {
    const opened: Array<{ storage: Storage; found: ScannedBlock }> = []
    for (const storage of this.all) {
      if (storage.failed) continue
      try {
        opened.push({ storage, found: await storage.open() })
      } catch (error) {
        // The disk is healthy, and only this process has run out of a resource: going on without the disk would lose its blocks.
        if (isExhaustion(error)) throw error
        storage.failed = true
        if (this.#noneLeft) throw error
        this.#deps.log.error('a directory cannot be read; the node runs without it', { error: asError(error), dir: storage.dir })
      }
    }
    return opened
  }

  /** Measures the free space of all disks and returns their states. */
  async state(): Promise<StorageState[]> {
    await Promise.all(this.all.map(storage => storage.measure()))
    return this.all.map(storage => storage.state)
  }

  /** Reserves bytes for a block on the disk with the most room, except those in `tried`. Throws ENOSPC if that disk has too little. */
  async reserve(id: BlockId, bytes: number, tried: ReadonlySet<Storage>): Promise<Storage> {
    // The last measurement may be out of date: measure again before refusing.
    if ((this.#roomiest(tried)?.roomBytes ?? 0) < bytes) await Promise.all(this.all.map(storage => storage.measure()))
    const best = this.#roomiest(tried)
    if (best && best.roomBytes >= bytes) {
      best.reserve(id, bytes)
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

  /** The disk has refused an operation; `diskError`: the state that follows from its error. */
  diskError(storage: Storage, diskError: DiskError, error: unknown): void {
    switch (diskError) {
      case 'full':
        storage.exhaust()
        return
      case 'closed':
        if (!storage.closed)
          this.#deps.log.error('a directory refuses writes; its blocks can still be read', { error: asError(error), dir: storage.dir })
        storage.closed = true
        return
      case 'failed': return this.fail(storage, error)
      default: return unreachable(diskError)
    }
  }

  fail(storage: Storage, error: unknown): void {
    if (storage.failed) return
    storage.failed = true
    this.#deps.replicas.lose(storage)
    this.#deps.listener.failed(storage, error, this.#noneLeft)
  }

  /** Periodic maintenance of each disk: checks that it is present, reopens a closed one, enforces retention limits. */
  async tend(): Promise<void> {
    for (const storage of this.all) {
      if (storage.failed) continue
      if (!await storage.present()) {
        this.fail(
          storage,
          new GristmillError('UNAVAILABLE', `the directory ${storage.dir} is empty or unreadable: its disk is no longer mounted`),
        )
        continue
      }
      if (storage.closed && !await storage.probe()) {
        storage.closed = false
        this.#deps.log.info('a directory takes blocks again', { dir: storage.dir })
      }
      await storage.tidy().catch((error: unknown) => {
        this.#deps.log.warn('maintenance of a directory failed', { error: asError(error), dir: storage.dir })
      })
    }
  }
}
