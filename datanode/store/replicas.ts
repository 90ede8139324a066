// Lifecycle of a datanode's replicas: holds the state of every block id of this node. All other files of this folder change a state only
// by calling this one, which also keeps the counters of the disks and tells the listener.
//
//   absent      `begin` → incoming
//   incoming    its bytes are written and synced (incoming.ts); `sealed` → sealed, `aborted` → absent
//   sealed      counted, reported and served (reader.ts); `remove` or `damaged` → leaving, `lose` (its disk has failed) → absent
//   leaving     not served; its files are still in `blocks/`. A removed replica moves to the trash at once. A damaged one is reported as
//               bad and stays until the namenode has acknowledged that (`acknowledged`): a process that dies before finds it again.
//               `clear` moves the files → retained
//   retained    in the trash or a quarantine directory of its disk, which removes it in the end (retention.ts)
//   duplicate   a second replica of a block, on another disk, found at the start: neither reported nor served. `adopt` → sealed,
//               `dropDuplicate` → retained (duplicates.ts)
//
// Invariants: a block is incoming or sealed at most once, and never both. The files of a new replica are made only after `clear` has moved
// older ones of the same id, so that a good replica is never removed or quarantined in place of an old one.

import { metaBytes, type MetaHeader } from '../../src/block/meta.ts'
import { assert, assertKept } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { blockName, type BlockId } from '../../src/base/ids.ts'
import type { Replica } from '../../src/protocol/report.ts'
import { ReplicaIndex } from './replicaindex.ts'
import type { Storage } from './storage.ts'

export interface ReplicaListener {
  added(replica: Replica): void
  removed(id: BlockId): void
  /** A damaged replica was found. `BlockStore.acknowledged` must be called when the namenode has acknowledged it. */
  bad(id: BlockId): void
}

interface Sealed {
  readonly storage: Storage
  readonly length: number
  /** CRC32C of the whole block. */
  readonly crc: number
}

interface Incoming { readonly state: 'incoming' }

interface Leaving {
  readonly state: 'leaving'
  readonly storage: Storage
  /** Size of its files. */
  readonly bytes: number
  /** Retention directory to which its files move: `trash` if it was removed, else it is damaged. */
  to: 'trash' | 'quarantine' | 'last'
  moving: Promise<void> | undefined
  /** A move was tried and failed. */
  held: boolean
}

export interface Duplicate extends Sealed {
  readonly state: 'duplicate'
  readonly id: BlockId
  /** The block was removed: the duplicate has to go as well. */
  removed: boolean
}

type Unserved = Incoming | Leaving | Duplicate

export class Replicas {
  readonly #storages: readonly Storage[]
  readonly #listener: ReplicaListener
  /** Sealed replicas: many, so they are kept compactly. */
  readonly #sealed = new ReplicaIndex()
  /** Everything else that is known of a block: few at a time. */
  readonly #unserved = new Map<BlockId, Unserved[]>()
  /** Damaged replicas found since the start, for metrics. */
  badFound = 0

  constructor(storages: readonly Storage[], listener: ReplicaListener) {
    this.#storages = storages
    this.#listener = listener
  }

  get count(): number { return this.#sealed.count }
  has(id: BlockId): boolean { return this.#sealed.has(id) }
  isIncoming(id: BlockId): boolean { return this.#of(id, 'incoming').length > 0 }
  /** Ids of the sealed replicas, in ascending order. */
  ids(): Float64Array { return this.#sealed.ids() }
  /** Ids of leaving replicas whose move has failed. */
  held(): BlockId[] { return [...this.#unserved.keys()].filter(id => this.#of(id, 'leaving').some(each => each.held)) }
  duplicates(): Duplicate[] { return [...this.#unserved.keys()].flatMap(id => this.#of(id, 'duplicate')) }

  sealedOf(id: BlockId): Sealed | undefined {
    const entry = this.#sealed.get(id)
    return entry && { length: entry.length, crc: entry.crc, storage: this.#storages[entry.storage]! }
  }

  find(id: BlockId): Replica | undefined {
    const entry = this.#sealed.get(id)
    return entry && { id, length: entry.length, crc: entry.crc, storage: this.#storages[entry.storage]!.id }
  }

  /** A sealed block was found at the start. False: another disk has the block too, and this one is its duplicate. */
  found(storage: Storage, { id, length, crc }: MetaHeader): boolean {
    if (this.has(id)) {
      this.#add(id, { state: 'duplicate', id, storage, length, crc, removed: false })
      return false
    }
    this.#count(id, { storage, length, crc })
    return true
  }

  /** Throws EEXIST if this node has the block, EBUSY if it is being received. */
  begin(id: BlockId): void {
    const details = { block: id }
    if (this.has(id)) throw new GristmillError('EEXIST', `this node has block ${blockName(id)} already`, { details })
    if (this.isIncoming(id)) throw new GristmillError('EBUSY', `block ${blockName(id)} is being written to this node already`, { details })
    this.#add(id, { state: 'incoming' })
  }

  aborted(id: BlockId): void { for (const each of this.#of(id, 'incoming')) this.#delete(id, each) }

  /** The files of an incoming block and their names are durable, on a disk that has not failed. */
  sealed(id: BlockId, replica: Sealed): void {
    assert(this.isIncoming(id), 'only an incoming block is sealed')
    this.aborted(id)
    this.#serve(id, replica)
  }

  /** Its files are damaged; `sealedOf(id)` is defined. */
  damaged(id: BlockId): void {
    const { storage, length } = this.#uncount(id)!
    this.foundBad(id, storage, length + metaBytes(length))
  }

  /** Damaged files of a block that is not sealed on this disk; `bytes`: their size, as far as it is known. */
  foundBad(id: BlockId, storage: Storage, bytes = 0): void {
    this.badFound++
    this.#add(id, { state: 'leaving', storage, bytes, to: 'quarantine', moving: undefined, held: false })
    // If another disk of this node has a good replica, this one is quarantined without a report: the namenode would drop both.
    if (this.has(id)) this.#clearSoon(id)
    else this.#listener.bad(id)
  }

  /** The namenode knows that the block is damaged. `last`: it knows no good replica. */
  acknowledged(id: BlockId, { last }: { last: boolean }): void {
    for (const each of this.#of(id, 'leaving')) each.to = last ? 'last' : 'quarantine'
  }

  /** The block is to be removed in whichever state it is, except incoming. */
  remove(id: BlockId): void {
    for (const each of this.#of(id, 'duplicate')) each.removed = true // the next maintenance moves it
    for (const each of this.#of(id, 'leaving')) each.to = 'trash'
    const sealed = this.#uncount(id)
    if (sealed) {
      const { storage, length } = sealed
      this.#add(id, { state: 'leaving', storage, bytes: length + metaBytes(length), to: 'trash', moving: undefined, held: false })
    }
    this.#listener.removed(id)
  }

  /** Moves the files of leaving replicas out of `blocks/`; returns at once if there are none. Throws the disk's error; may be repeated. */
  async clear(id: BlockId): Promise<void> {
    const moves = await Promise.allSettled(
      this.#of(id, 'leaving').map(each => each.moving ??= this.#move(id, each).finally(() => { each.moving = undefined })),
    )
    for (const move of moves) if (move.status === 'rejected') throw move.reason
  }

  async #move(id: BlockId, leaving: Leaving): Promise<void> {
    const { storage, bytes, to } = leaving
    leaving.held = true
    await storage[to].take(id, storage.pathOf(id), bytes)
    this.#delete(id, leaving)
  }

  /** The next maintenance repeats a move that the disk refuses. */
  #clearSoon(id: BlockId): void { void this.clear(id).catch(() => {}) }

  /** Serves a duplicate in place of a replica that is no longer sealed. */
  adopt(duplicate: Duplicate): void {
    const { id, storage, length, crc } = duplicate
    this.dropDuplicate(duplicate)
    this.#serve(id, { storage, length, crc })
    // A damaged replica of it is quarantined without a report: this node has a good one now.
    this.#clearSoon(id)
  }

  /** The duplicate's files were moved, or belong to a replica by now. */
  dropDuplicate(duplicate: Duplicate): void { this.#delete(duplicate.id, duplicate) }

  /** The disk has failed: nothing of it is served or moved any more. The scan at the next start finds what is left. */
  lose(storage: Storage): void {
    for (const [id, entries] of this.#unserved) {
      for (const each of entries) if (each.state !== 'incoming' && each.storage === storage) this.#delete(id, each)
    }
    const index = this.#storages.indexOf(storage)
    for (const id of this.#sealed.ids() as unknown as Iterable<BlockId>) {
      if (this.#sealed.get(id)!.storage !== index) continue
      this.#uncount(id)
      this.#listener.removed(id)
    }
  }

  /** Reports the state of a block again, because a client or the namenode has acted on a wrong one. */
  announce(id: BlockId): void {
    const replica = this.find(id)
    if (replica) this.#listener.added(replica)
    else if (this.#of(id, 'leaving').some(({ to }) => to !== 'trash')) this.#listener.bad(id)
    else this.#listener.removed(id)
  }

  /** Reports again the damaged replicas of blocks that had no good one when they were found: there may be one now. */
  async remind(): Promise<void> {
    for (const { last, quarantine } of this.#storages) {
      for (const id of last.ids()) {
        if (this.has(id)) await last.pass(id, quarantine).catch(() => {}) // the next reminder tries again
        else this.#listener.bad(id)
      }
    }
  }

  #serve(id: BlockId, replica: Sealed): void {
    const { storage, length, crc } = replica
    this.#count(id, replica)
    this.#listener.added({ id, length, crc, storage: storage.id })
  }

  #count(id: BlockId, { storage, length, crc }: Sealed): void {
    storage.add(length)
    this.#sealed.set(id, { length, crc, storage: this.#storages.indexOf(storage) })
  }

  #uncount(id: BlockId): Sealed | undefined {
    const sealed = this.sealedOf(id)
    this.#sealed.delete(id)
    sealed?.storage.subtract(sealed.length)
    return sealed
  }

  /** Throws AssertionFailed if states of a block exclude each other, or a disk counts other blocks. For tests and simulations. */
  checkState(): void {
    this.#sealed.checkState()
    const sealed = this.#storages.map(() => ({ blocks: 0, bytes: 0 }))
    for (const { length, storage } of this.#sealed.entries()) {
      sealed[storage]!.blocks++
      sealed[storage]!.bytes += length + metaBytes(length)
    }
    for (const [index, storage] of this.#storages.entries()) {
      storage.checkState(sealed[index]!, id => this.isIncoming(id))
      if (storage.failed) assertKept('sealed blocks of a failed disk', sealed[index]!.blocks, 0, storage.dir)
    }
    for (const [id, entries] of this.#unserved) {
      const incoming = this.#of(id, 'incoming').length
      assert(entries.length > 0, `block ${id} is kept in no state`)
      assert(incoming + Number(this.has(id)) <= 1, `block ${id} is being received ${incoming} times, and sealed: ${this.has(id)}`)
    }
  }

  #of<S extends Unserved['state']>(id: BlockId, state: S): Array<Extract<Unserved, { state: S }>> {
    return (this.#unserved.get(id) ?? []).filter((each): each is Extract<Unserved, { state: S }> => each.state === state)
  }

  #add(id: BlockId, entry: Unserved): void { this.#unserved.set(id, [...this.#unserved.get(id) ?? [], entry]) }

  #delete(id: BlockId, entry: Unserved): void {
    const rest = (this.#unserved.get(id) ?? []).filter(each => each !== entry)
    if (rest.length > 0) this.#unserved.set(id, rest)
    else this.#unserved.delete(id)
  }
}
