// Receives one block of a write pipeline: verifies, forwards and writes each frame as it arrives, with one ring of buffers. A buffer is
// reused when both the local disk and the next member have it, so the slower of the two sets the pace and memory stays bounded.
//
// The write continues without failed members: a failed next member, and with it all behind it, is left out of `nodes` in the reply; if the
// local disk refuses, this node only forwards. The block is aborted when no member is left, the sender is lost, or the sender violates the
// protocol.

import type { Channel } from '../../src/block/channel.ts'
import { ChunkTable } from '../../src/block/checksum.ts'
import type { FrameBuffer } from '../../src/block/frame.ts'
import type { FramePool } from '../../src/block/ring.ts'
import { asError, GristmillError, hasCode } from '../../src/base/errors.ts'
import { blockName, type NodeId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { fits } from '../../src/protocol/check.ts'
import type { Log } from '../../src/ports/log.ts'
import { transferEnd, type TransferEnd, type TransferRequest } from '../../src/protocol/transfer.ts'
import { Pipe, type Lost, type Written } from '../../src/file/pipe.ts'
import type { Wires } from '../../src/file/wires.ts'
import type { Incoming } from '../store/incoming.ts'
import type { BlockStore } from '../store/store.ts'

type WriteRequest = Extract<TransferRequest, { op: 'write' }>

export interface ReceiveTools {
  readonly node: NodeId
  readonly store: BlockStore
  readonly wires: Wires
  readonly pool: FramePool
  readonly log: Log
  readonly progressMs: number
  /** Counts bytes as they arrive. */
  onBytes(bytes: number): void
}

export class Receiving {
  readonly #tools: ReceiveTools
  readonly #request: WriteRequest
  readonly #table: ChunkTable
  readonly #failed: Lost[] = []
  #incoming: Incoming | undefined
  #pipe: Pipe | undefined
  #refusal: GristmillError | undefined

  constructor(tools: ReceiveTools, request: WriteRequest) {
    this.#tools = tools
    this.#request = request
    this.#table = new ChunkTable(Math.min(request.bytesMax, limits.blockBytesMax))
  }

  /**
   * Receives the block and returns the reply. After an error nothing of the block is left on this node. `gone`: aborts when the
   * sender's connection is closed.
   */
  async run(channel: Channel, gone?: AbortSignal): Promise<Written> {
    const ring = this.#tools.pool.ring()
    try {
      await this.#open(gone)
      for (;;) {
        const taken = ring.take()
        const frame = taken instanceof Promise ? await taken : taken
        let kept = false
        try {
          const received = await channel.receive(frame)
          if (!received) throw new GristmillError('UNAVAILABLE', `the sender of block ${blockName(this.#request.block)} has disconnected`)
          if (received.kind === 'data') {
            kept = true
            this.#accept(frame, () => ring.give(frame))
          } else if (received.kind === 'end' && fits(transferEnd, received.value)) {
            return await this.#finish(received.value)
          } else {
            throw new GristmillError('CORRUPT', `received a ${received.kind} instead of block data`)
          }
        } finally {
          if (!kept) ring.give(frame)
        }
      }
    } catch (error) {
      this.#pipe?.abort(asError(error))
      await this.#incoming?.abort()
      throw error
    } finally {
      ring.end()
    }
  }

  /** A sender that disconnects meanwhile aborts the connection to downstream members; the next read then fails. */
  async #open(gone: AbortSignal | undefined): Promise<void> {
    const { cluster, block, bytesMax, token, pipeline } = this.#request
    const { store, wires, progressMs, node } = this.#tools
    const [incoming, pipe] = await Promise.allSettled([
      store.receive(block, bytesMax),
      pipeline.length === 0
        ? undefined
        : Pipe.open(wires, { cluster, block, bytesMax, token, members: pipeline }, { progressMs, signal: gone }),
    ])
    if (pipe.status === 'fulfilled') {
      this.#pipe = pipe.value
    } else {
      const message = asError(pipe.reason).message.slice(0, 500)
      this.#failed.push(...pipeline.map(member => ({ node: member.node, message })))
    }
    if (incoming.status === 'fulfilled') {
      this.#incoming = incoming.value
    } else {
      // The namenode believes that this node does not have the block.
      if (hasCode(incoming.reason, 'EEXIST')) store.announce(block)
      this.#lose(asError(incoming.reason), node)
    }
    this.#requireTarget()
  }

  /** `done`: called when the buffer may be reused. */
  #accept(frame: FrameBuffer, done: () => void): void {
    const table = this.#table
    const { block } = this.#request
    let forwarded: Promise<void> | undefined
    try {
      if (frame.offset !== table.bytes || table.bytes % limits.chunkBytes !== 0) {
        throw new GristmillError(
          'CORRUPT',
          `expected byte ${table.bytes} of block ${blockName(block)}, received a frame that starts at byte ${frame.offset}`,
        )
      }
      if (table.bytes + frame.payloadBytes > this.#request.bytesMax)
        throw new GristmillError(
          'TOO_LARGE',
          `block ${blockName(block)} was announced with at most ${this.#request.bytesMax} bytes and has more`,
        )
      const bad = frame.damagedChunk()
      if (bad >= 0)
        throw new GristmillError(
          'CORRUPT',
          `block ${blockName(block)} was damaged on the way here, in its chunk at byte ${frame.offset + bad * limits.chunkBytes}`,
          { details: { block } },
        )
      frame.addTo(table)
      this.#tools.onBytes(frame.payloadBytes)
      const pipe = this.#pipe
      if (pipe) forwarded = pipe.send(frame).catch((error: unknown) => this.#losePipe(pipe, error))
      try {
        this.#incoming?.write(frame.payload)
      } catch (error) {
        void this.#incoming!.abort()
        this.#incoming = undefined
        this.#lose(asError(error), this.#tools.node)
      }
      this.#requireTarget()
    } finally {
      if (forwarded) void forwarded.then(done)
      else done()
    }
  }

  async #finish(end: TransferEnd): Promise<Written> {
    const table = this.#table
    const { block } = this.#request
    if (table.bytes === 0) throw new GristmillError('EINVAL', `block ${blockName(block)} has no bytes; an empty file has no blocks`)
    if (end.length !== table.bytes || end.crc !== table.crc) {
      throw new GristmillError(
        'CORRUPT',
        `block ${blockName(block)} came with ${table.bytes} bytes and checksum ${table.crc}, its sender sent ${end.length} and ${end.crc}`,
      )
    }
    const [incoming, pipe] = [this.#incoming, this.#pipe]
    const [sealed, written] = await Promise.allSettled([incoming?.seal(table), pipe?.finish(end)])
    const nodes: NodeId[] = []
    if (incoming) {
      if (sealed.status === 'fulfilled') nodes.push(this.#tools.node)
      else this.#lose(asError(sealed.reason), this.#tools.node)
    }
    // A frame in flight may have reported the loss already, while the disk was syncing; `#losePipe` reports it once.
    if (written.status === 'rejected') this.#losePipe(pipe!, written.reason)
    else if (written.value) {
      nodes.push(...written.value.nodes)
      this.#failed.push(...written.value.failed)
    }
    if (nodes.length === 0) throw this.#refusal ?? new GristmillError('UNAVAILABLE', `no datanode has stored block ${blockName(block)}`)
    return { nodes, failed: this.#failed }
  }

  #lose(error: GristmillError, node: NodeId): void {
    this.#tools.log.warn('this node does not store a block', { error, block: this.#request.block })
    this.#refusal = error
    this.#failed.push({ node, message: error.message.slice(0, 500) })
  }

  #losePipe(pipe: Pipe, error: unknown): void {
    if (this.#pipe !== pipe) return
    this.#pipe = undefined
    this.#tools.log.warn('downstream members are lost; the pipeline continues without them', {
      error: asError(error), block: this.#request.block, members: pipe.lost.map(({ node }) => node),
    })
    pipe.abort(asError(error))
    this.#failed.push(...pipe.skipped, ...pipe.lost)
  }

  /** Throws if neither the local disk nor a downstream member still takes the block. */
  #requireTarget(): void {
    if (this.#incoming || this.#pipe) return
    throw this.#refusal ?? new GristmillError('UNAVAILABLE', `no datanode is left to store block ${blockName(this.#request.block)}`)
  }
}
