// Starts the receiving of blocks: chooses a disk, reserves space on it and makes room by emptying its trash. If a disk refuses, the next
// one is tried. Invariant: a block is received at most once at a time; its bytes stay reserved until it is sealed or dropped.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { isExhaustion } from '../../src/base/exhaustion.ts'
import { blockName, type BlockId } from '../../src/base/ids.ts'
import type { Removals } from './removals.ts'
import type { Disks } from './disks.ts'
import { Incoming, type IncomingTools } from './incoming.ts'
import type { Storage } from './storage.ts'
import { refusalOf } from './diskerror.ts'

interface IntakeOptions extends IncomingTools {
  readonly disks: Disks
  readonly removals: Removals
  /** The block is durable on a storage that has not failed. */
  readonly sealed: (id: BlockId, storage: Storage, length: number, crc: number) => void
}

export class Intake {
  readonly #options: IntakeOptions
  readonly #incoming = new Set<BlockId>()

  constructor(options: IntakeOptions) { this.#options = options }

  has(id: BlockId): boolean { return this.#incoming.has(id) }

  /** Starts a block of at most `bytesMax` bytes on the disk with the most room. Throws EBUSY, ENOSPC. */
  async begin(id: BlockId, bytesMax: number): Promise<Incoming> {
    const { disks } = this.#options
    if (this.#incoming.has(id))
      throw new GristmillError('EBUSY', `block ${blockName(id)} is being written to this node already`, { details: { block: id } })
    this.#incoming.add(id)
    try {
      for (const tried = new Set<Storage>(); ;) {
        const storage = await disks.reserve(bytesMax, tried)
        tried.add(storage)
        try {
          return await this.#beginOn(storage, id, bytesMax)
        } catch (error) {
          // This disk refuses the block; another one may take it.
          if (!hasCode(error, 'ENOSPC') || tried.size === disks.all.length) throw error
        }
      }
    } catch (error) {
      this.#incoming.delete(id)
      throw error
    }
  }

  /** REQUIRES: the bytes are reserved, and the block is received by no other call. */
  async #beginOn(storage: Storage, id: BlockId, bytesMax: number): Promise<Incoming> {
    const { disk, failpoints, disks, removals, sealed } = this.#options
    const release = (): void => { storage.reservedBytes -= bytesMax }
    try {
      await removals.go(id)
      await storage.makeRoom()
    } catch (error) {
      release()
      if (isExhaustion(error)) throw refusalOf(error, storage.dir, id)
      throw new GristmillError('ENOSPC', `the disk of ${storage.dir} refuses to remove deleted blocks`, {
        cause: error, details: { block: id },
      })
    }
    let begun = false
    const incoming = await Incoming.create({ disk, failpoints }, storage, { id, bytesMax, end: {
      sealed: (length, crc) => {
        release()
        this.#incoming.delete(id)
        if (storage.failed)
          throw new GristmillError('ENOSPC', `the disk of ${storage.dir} has failed while block ${blockName(id)} was written to it`, {
            details: { block: id },
          })
        sealed(id, storage, length, crc)
      },
      dropped: () => {
        release()
        if (begun) this.#incoming.delete(id)
      },
      diskError: (diskError, error) => disks.diskError(storage, diskError, error),
    } })
    begun = true
    return incoming
  }
}
