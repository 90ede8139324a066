// One replica of one block, read in order from a chunk on: over a wire, or locally if its datanode is on this host. Verifies every
// byte that it returns; a replica that fails a check throws Damaged with a proof, and is not used further.

import { fits } from '../protocol/check.ts'
import { decodeMeta, metaBytes, type Meta } from '../block/meta.ts'
import { crcOf } from '../block/checksum.ts'
import type { FrameBuffer } from '../block/frame.ts'
import { GristmillError, isErrorCode } from '../base/errors.ts'
import { blockName, type BlockId, type ClusterId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Disk, DiskReader } from '../ports/disk.ts'
import type { NodePlace } from '../protocol/fields.ts'
import { local, transferEnd, transferReply } from '../protocol/transfer.ts'
import type { Caller } from '../rpc/call.ts'
import type { HeldWire, Wires } from './wires.ts'

const { chunkBytes, framePayloadBytesMax } = limits

export interface ReplicaTarget {
  readonly cluster: ClusterId
  readonly id: BlockId
  /** As recorded by the namenode. */
  readonly length: number
  readonly crc: number
  readonly token: string
}

/** Report to the namenode about a replica that is damaged or missing. */
export interface Proof { readonly offset: number; readonly expected: number; readonly found: number; readonly message: string }

/** The data is not what it should be: another replica has to serve. */
export class Damaged extends GristmillError {
  readonly proof: Proof
  constructor(proof: Proof) {
    super('CORRUPT', proof.message)
    this.proof = proof
  }
}

export interface OpenReplica {
  /** Source of the data, for counters. */
  readonly place: NodePlace
  readonly inPlace: boolean
  /** Path of the replica on this machine. */
  readonly file?: string | undefined
  /** Reads the next verified bytes to the start of `into.room`; `position` is their offset in the block. 0: end. */
  next(into: FrameBuffer): Promise<number> | number
  readonly position: number
  /**
   * True while nothing has arrived on a wire that was kept from an earlier transfer: a failure then says nothing about the
   * datanode.
   */
  readonly stale: boolean
  close(): void
}

/** Range of whole chunks of a block that contains [start, end). */
export const chunksOf = (start: number, end: number, length: number): { from: number; to: number } => ({
  from: start - start % chunkBytes,
  to: Math.min(length, Math.ceil(end / chunkBytes) * chunkBytes),
})

interface ByteRange { readonly start: number; readonly end: number }

/**
 * Opens the files of a datanode on this host, to read the chunks of these ranges, which are in their order and do not overlap. undefined:
 * they cannot be opened from here, which is no failure of the replica.
 */
export async function openInPlace(
  { caller, disk }: { caller: Caller; disk: Disk }, place: NodePlace, target: ReplicaTarget, ranges: readonly ByteRange[],
  signal?: AbortSignal,
): Promise<OpenReplica | undefined> {
  let data: DiskReader
  let metaFile: Buffer
  const files = await caller.call(
    place.address, local, { block: target.id, token: target.token }, { signal, retry: false, peer: 'datanode' },
  )
  try {
    data = await disk.openRead(files.data)
  } catch {
    return undefined // another user's files, or another host that has the same name
  }
  try {
    metaFile = await disk.readFile(files.meta)
  } catch {
    await data.close()
    return undefined
  }
  try {
    const chunks = ranges.map(({ start, end }) => chunksOf(start, end, target.length))
    return new InPlace(place, { data, file: files.data }, checkedMeta(metaFile, data, target), chunks)
  } catch (error) {
    await data.close()
    throw error
  }
}

function checkedMeta(file: Buffer, data: DiskReader, { id, length, crc }: ReplicaTarget): Meta {
  let meta: Meta
  try {
    meta = decodeMeta(file, id)
  } catch (error) {
    throw new Damaged({ offset: 0, expected: metaBytes(length), found: file.length, message: (error as Error).message })
  }
  if (meta.length !== length || meta.crc !== crc)
    throw new Damaged({
      offset: 0, expected: crc, found: meta.crc,
      message: `the meta file of block ${blockName(id)} is that of other bytes`,
    })
  if (data.bytes !== length)
    throw new Damaged({
      offset: Math.min(data.bytes, length), expected: length, found: data.bytes,
      message: `the file of block ${blockName(id)} has ${data.bytes} bytes, it should have ${length}`,
    })
  return meta
}

class InPlace implements OpenReplica {
  readonly place: NodePlace
  readonly inPlace = true
  readonly stale = false
  readonly file: string
  readonly #data: DiskReader
  readonly #meta: Meta
  /** Chunks that are left; those of two ranges may be the same, and are read once. */
  readonly #left: Array<{ readonly from: number; readonly to: number }>
  #next = 0
  position: number

  constructor(
    place: NodePlace, { data, file }: { data: DiskReader; file: string }, meta: Meta,
    chunks: ReadonlyArray<{ readonly from: number; readonly to: number }>,
  ) {
    this.place = place
    this.file = file
    this.#data = data
    this.#meta = meta
    this.#left = [...chunks]
    this.position = chunks[0]?.from ?? 0
  }

  next(into: FrameBuffer): number {
    while (this.#left.length > 0 && this.#left[0]!.to <= this.#next) this.#left.shift()
    const [first] = this.#left
    if (!first) return 0
    this.#next = Math.max(this.#next, first.from)
    const length = Math.min(into.room.length, first.to - this.#next)
    this.position = this.#next
    const found = this.#data.readSync(length === into.room.length ? into.room : into.room.subarray(0, length), this.position)
    into.payloadBytes = length
    const chunk = this.position / chunkBytes
    for (let i = 0; i < into.chunks; i++) {
      const expected = this.#meta.crcs[chunk + i]!
      const crc = found < length ? 0 : crcOf(into.chunk(i))
      if (crc !== expected) throw damaged(this.#meta.id, this.position + i * chunkBytes, expected, crc)
    }
    this.#next += length
    return length
  }

  close(): void { void this.#data.close() }
}

/** Reads over a wire. `fresh`: over a new one, not one kept from an earlier transfer. */
export async function openRemote(
  wires: Wires, place: NodePlace, target: ReplicaTarget, range: { start: number; end: number },
  { signal, fresh, progressMs }: { signal?: AbortSignal | undefined; fresh?: boolean; progressMs?: number | undefined } = {},
): Promise<OpenReplica> {
  const held = await wires.take(place.address, { signal, ...(fresh && { fresh }), ...(progressMs !== undefined && { progressMs }) })
  const replica = new Remote(wires, held, place, target, chunksOf(range.start, range.end, target.length))
  replica.ask()
  return replica
}

class Remote implements OpenReplica {
  readonly place: NodePlace
  readonly inPlace = false
  readonly #wires: Wires
  readonly #held: HeldWire
  readonly #target: ReplicaTarget
  readonly #from: number
  readonly #to: number
  #next: number
  #ended = false
  #heard = false
  position: number

  constructor(wires: Wires, held: HeldWire, place: NodePlace, target: ReplicaTarget, { from, to }: { from: number; to: number }) {
    this.#wires = wires
    this.#held = held
    this.place = place
    this.#target = target
    this.#from = from
    this.#to = to
    this.#next = from
    this.position = from
  }

  get stale(): boolean { return this.#held.used && !this.#heard }

  ask(): void {
    const { cluster, id, length, crc, token } = this.#target
    // Not awaited: if it cannot be sent, the first `next` throws.
    this.#held.channel
      .request({ op: 'read', cluster, block: id, offset: this.#from, length: this.#to - this.#from, token, expected: { length, crc } })
      .catch(() => {})
  }

  async next(into: FrameBuffer): Promise<number> {
    const { id } = this.#target
    if (this.#ended) return 0
    const received = await this.#held.channel.receive(into)
    if (!received) throw this.#broken('closed the connection')
    this.#heard = true
    if (received.kind === 'data') {
      if (into.offset !== this.#next || into.payloadBytes > Math.min(framePayloadBytesMax, this.#to - this.#next))
        throw this.#broken('sent bytes that were not requested')
      const bad = into.damagedChunk()
      if (bad >= 0) throw damaged(id, into.offset + bad * chunkBytes, into.crc(bad), crcOf(into.chunk(bad)))
      this.position = this.#next
      this.#next += into.payloadBytes
      return into.payloadBytes
    }
    if (received.kind === 'end' && fits(transferEnd, received.value)) {
      const { length } = received.value
      if (this.#next !== this.#to)
        throw new Damaged({
          offset: this.#next, expected: this.#to - this.#from, found: length,
          message: `block ${blockName(id)} ended after ${this.#next} bytes of ${this.#target.length}`,
        })
      this.#ended = true
      this.#wires.give(this.#held)
      return 0
    }
    if (received.kind === 'reply' && fits(transferReply, received.value) && received.value.op === 'error') {
      const { code, message } = received.value.error
      if (code === 'CORRUPT') throw new Damaged({ offset: this.#next, expected: 0, found: 0, message: message.slice(0, 500) })
      throw new GristmillError(isErrorCode(code) ? code : 'INTERNAL', message)
    }
    throw this.#broken('answered a read with something else')
  }

  close(): void {
    if (this.#ended) return
    this.#ended = true
    this.#held.channel.wire.destroy()
  }

  #broken(what: string): GristmillError {
    return new GristmillError(
      'UNAVAILABLE',
      `the datanode at ${this.place.address} ${what} while block ${blockName(this.#target.id)} was read`,
    )
  }
}

function damaged(id: BlockId, offset: number, expected: number, found: number): Damaged {
  return new Damaged({
    offset, expected, found,
    message: `block ${blockName(id)} is damaged: its chunk at byte ${offset} has checksum ${found}, it should have ${expected}`,
  })
}
