// Reads a range of one block, from the nearest replica that serves it; after a failure the next replica continues at the exact
// byte. Damage, and a missing replica, are reported to the namenode with proof and never reach the caller. When all replicas have
// failed, the locations are fetched again, a few times.
// Invariant: the returned pieces, joined, are exactly [start, end) of the block, each byte verified.

import { FrameBuffer } from '../block/frame.ts'
import { abortable, throwIfAborted } from '../base/abort.ts'
import { asError, GristmillError, hasCode } from '../base/errors.ts'
import { blockName, type Address, type BlockId, type ClusterId, type NodeId } from '../base/ids.ts'
import { backoffMs } from '../base/backoff.ts'
import { limits } from '../base/limits.ts'
import type { Clock } from '../ports/clock.ts'
import type { Disk } from '../ports/disk.ts'
import type { Log } from '../ports/log.ts'
import type { Random } from '../ports/random.ts'
import type { NodePlace } from '../protocol/fields.ts'
import type { Caller } from '../rpc/call.ts'
import type { SuspectNodes } from './suspectnodes.ts'
import { chunksOf, Damaged, openInPlace, openRemote, type Proof, type OpenReplica, type ReplicaTarget } from './replica.ts'
import type { Wires } from './wires.ts'

/** Shared by all readers of a process. */
export interface ReadTools {
  readonly caller: Caller
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly log: Log
  readonly wires: Wires
  readonly suspectNodes: SuspectNodes
  readonly cluster: ClusterId
  /** Replicas of datanodes on this host are read locally. */
  readonly host: string
  readonly progressMs: number | undefined
  reportBad(block: BlockId, address: Address, proof: Proof): void
}

export interface BlockPlaces {
  readonly id: BlockId
  readonly length: number
  readonly crc: number
  /** Nearest first. */
  readonly nodes: readonly NodePlace[]
  readonly token: string
}

export interface BlockReadOptions {
  readonly start: number
  readonly end: number
  readonly signal?: AbortSignal | undefined
  /** Each piece is valid only until the next call; saves allocating a buffer per piece. */
  readonly reuse?: boolean | undefined
  /** Fetches fresh locations of the block. Default: the given locations are final. */
  readonly relocate?: (() => Promise<BlockPlaces>) | undefined
  /** Counts bytes by source. */
  readonly onRead?: ((bytes: number, from: NodePlace, inPlace: boolean) => void) | undefined
}

/** About three seconds with the pauses: after a restart of the namenode its datanodes need a moment to register. */
const roundsMax = 6
const backoff = { firstMs: 100, maxMs: 2_000 }
/** Time without data after which another replica is tried; four times as long for the last replica, and in each further round. */
const switchMs = 800
/** For a frame that holds no data. */
const noRoom = new FrameBuffer(0)

export class BlockReader {
  readonly #tools: ReadTools
  readonly #options: BlockReadOptions
  #places: BlockPlaces
  #position: number
  #buffer: FrameBuffer | undefined
  #replica: OpenReplica | undefined
  #opening: Promise<OpenReplica> | undefined
  /** Nodes that failed since the locations were last fetched. */
  readonly #failed = new Set<NodeId>()
  /** Nodes whose files cannot be opened locally, or were damaged when read locally. */
  readonly #notInPlace = new Set<NodeId>()
  #fresh = false
  /** Node that was asked last. */
  #asked: NodePlace | undefined
  #rounds = 0
  #last: GristmillError | undefined

  constructor(tools: ReadTools, places: BlockPlaces, options: BlockReadOptions) {
    this.#tools = tools
    this.#places = places
    this.#options = options
    this.#position = options.start
  }

  /** Requests the first bytes before they are needed. */
  prepare(): void {
    if (this.#replica || this.#opening || this.#position >= this.#options.end) return
    this.#opening = this.#open()
    this.#opening.catch(() => {}) // reported by `next`, which tries again
  }

  /** The next piece; undefined at the end of the range. */
  async next(): Promise<Buffer | undefined> {
    const { end, signal } = this.#options
    while (this.#position < end) {
      throwIfAborted(signal)
      try {
        this.#replica ??= await this.#opened(this.#opening ?? this.#open())
        const replica = this.#replica
        const buffer = this.#options.reuse ? this.#buffer ??= this.#newBuffer() : this.#newBuffer()
        const coming = replica.next(buffer)
        const length = typeof coming === 'number' ? coming : await this.#patient(this.#interruptible(coming, replica), replica.place)
        if (length === 0)
          throw new GristmillError('UNAVAILABLE', `the datanode at ${replica.place.address} sent less of a block than requested`)
        this.#tools.suspectNodes.clear(replica.place.node)
        const from = this.#position - replica.position
        const to = Math.min(length, end - replica.position)
        this.#position = replica.position + to
        this.#options.onRead?.(to - from, replica.place, replica.inPlace)
        if (this.#position === end) await this.#finish(replica)
        return buffer.room.subarray(from, to)
      } catch (error) {
        throwIfAborted(signal)
        await this.#failOver(error)
      } finally {
        this.#opening = undefined
      }
    }
    return undefined
  }

  close(): void {
    this.#replica?.close()
    this.#replica = undefined
    void this.#opening?.then(replica => replica.close(), () => {})
    this.#opening = undefined
  }

  /** Room for the next frame: short ranges are read often, and a buffer for a whole frame takes longer to get than their bytes. */
  #newBuffer(): FrameBuffer {
    const { from, to } = chunksOf(this.#position, this.#options.end, this.#places.length)
    return new FrameBuffer(Math.min(limits.framePayloadBytesMax, to - from))
  }

  async #open(): Promise<OpenReplica> {
    const { signal, end } = this.#options
    const { id, length, crc, token, nodes } = this.#places
    const { cluster, host, wires, suspectNodes, progressMs } = this.#tools
    const target: ReplicaTarget = { cluster, id, length, crc, token }
    const range = { start: this.#position, end }
    const left = suspectNodes.sort(nodes.filter(({ node }) => !this.#failed.has(node)))
    const here = left.find(place => place.host === host && !this.#notInPlace.has(place.node) && !suspectNodes.has(place.node))
    const place = here ?? left[0]
    this.#asked = place
    if (!place)
      throw new GristmillError('BLOCK_MISSING', `block ${blockName(id)} has no replica that can be read now (${nodes.length} known)`, {
        cause: this.#last, details: { block: id },
      })
    try {
      if (here) {
        const replica = await openInPlace(this.#tools, place, target, [range], signal)
        if (replica) return replica
        this.#notInPlace.add(place.node)
      }
      const fresh = this.#fresh
      this.#fresh = false
      return await openRemote(wires, place, target, range, { signal, fresh, progressMs })
    } catch (error) {
      throw new FailedAt(place, error)
    }
  }

  /** A replica that opens too late is closed. */
  async #opened(opening: Promise<OpenReplica>): Promise<OpenReplica> {
    const place = this.#asked
    try {
      return await (place ? this.#patient(opening, place) : opening)
    } catch (error) {
      void opening.then(replica => replica.close(), () => {})
      throw error
    }
  }

  /** A datanode that is cut off or paused sends nothing at all: another replica may be faster than its deadline. */
  #patient<T>(coming: Promise<T>, place: NodePlace): Promise<T> {
    const others = this.#places.nodes.some(({ node }) => node !== place.node && !this.#failed.has(node))
    const ms = switchMs * 4 ** (this.#rounds + (others ? 0 : 1))
    return new Promise((resolve, reject) => {
      const late = (): void =>
        reject(new FailedAt(place, new GristmillError('TIMEOUT', `the datanode at ${place.address} sent no data for ${ms} ms`)))
      const cancel = this.#tools.clock.after(ms, late)
      coming.then(value => { cancel(); resolve(value) }, (error: Error) => { cancel(); reject(error) })
    })
  }

  /** Waits for bytes; an abort closes the replica, which ends the wait. */
  async #interruptible(coming: Promise<number>, replica: OpenReplica): Promise<number> {
    const { signal } = this.#options
    if (!signal) return coming
    const onAbort = (): void => replica.close()
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await coming
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** All data was read: reads the end frame, after which the wire can be reused. */
  async #finish(replica: OpenReplica): Promise<void> {
    this.#replica = undefined
    if (replica.inPlace) return replica.close()
    try {
      await this.#interruptible(Promise.resolve(replica.next(noRoom)), replica)
    } catch {
      // Every byte was verified already; only the wire is lost.
    } finally {
      replica.close()
    }
  }

  /**
   * Proof to report to the namenode, if any. A node that answers "no such block" may be right: then its listing as a holder is
   * wrong.
   */
  #proofOf(error: GristmillError): Proof | undefined {
    if (error instanceof Damaged) return error.proof
    return hasCode(error, 'BLOCK_MISSING') ? { offset: 0, expected: this.#places.length, found: 0, message: error.message } : undefined
  }

  async #failOver(thrown: unknown): Promise<void> {
    const { clock, random, log, suspectNodes } = this.#tools
    const replica = this.#replica
    this.#replica = undefined
    replica?.close()
    const place = replica?.place ?? (thrown instanceof FailedAt ? thrown.place : undefined)
    const error = asError(thrown instanceof FailedAt ? thrown.cause : thrown)
    const { id } = this.#places
    if (place) {
      this.#last = error
      this.#fresh = replica?.stale === true && error.code !== 'TIMEOUT'
      if (this.#fresh) return
      this.#failed.add(place.node)
      if (hasCode(error, 'UNAVAILABLE', 'TIMEOUT')) suspectNodes.add(place.node)
      const proof = this.#proofOf(error)
      if (proof) this.#tools.reportBad(id, place.address, proof)
      log.warn('a replica failed; reading on from another one', { error, block: id, node: place.node, position: this.#position })
      if (this.#places.nodes.some(({ node }) => !this.#failed.has(node))) return
    }
    if (++this.#rounds >= roundsMax || !this.#options.relocate) {
      throw new GristmillError(
        'BLOCK_MISSING',
        `block ${blockName(id)} cannot be read: ` +
        (this.#places.nodes.length === 0
          ? 'no live datanode has a good replica of it'
          : `all ${this.#places.nodes.length} replicas failed, the last one with: ${(this.#last ?? error).message}`),
        { cause: this.#last ?? error, details: { block: id } },
      )
    }
    const { signal } = this.#options
    await abortable(clock.sleep(backoffMs(this.#rounds, backoff, random), signal), signal)
    this.#places = await this.#options.relocate()
    this.#failed.clear()
  }
}

/** A failure and its place, while no replica is open. */
class FailedAt extends Error {
  override name = 'FailedAt'
  readonly place: NodePlace
  constructor(place: NodePlace, cause: unknown) {
    super('a replica could not be opened', { cause })
    this.place = place
  }
}
