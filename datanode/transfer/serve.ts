// Serves one range of a block over a wire: whole chunks, with the checksums that were stored when the block was written. The reader
// verifies them; this node does not, and learns of damage from its readers.

import type { Channel } from '../../src/block/channel.ts'
import { combine } from '../../src/block/checksum.ts'
import type { FramePool } from '../../src/block/ring.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { exhausted, isExhaustion } from '../../src/base/exhaustion.ts'
import { blockName } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { TransferRequest } from '../../src/protocol/transfer.ts'
import type { OpenBlock } from '../store/reader.ts'
import type { BlockStore } from '../store/store.ts'

type ReadRequest = Extract<TransferRequest, { op: 'read' }>

interface ServeTools {
  readonly store: BlockStore
  readonly pool: FramePool
  /** Counts bytes as they leave. */
  onBytes(bytes: number): void
}

const { chunkBytes, framePayloadBytesMax } = limits

/** Sends DATA frames and END. Throws before, or instead of, END. */
export async function serveRange({ store, pool, onBytes }: ServeTools, request: ReadRequest, channel: Channel): Promise<void> {
  const { block: id, offset, length, expected } = request
  const block = await store.open(id)
  const ring = pool.ring()
  try {
    const { meta } = block
    if (expected && (expected.length !== meta.length || expected.crc !== meta.crc)) {
      throw new GristmillError(
        'CORRUPT',
        `block ${blockName(id)} has ${meta.length} bytes with checksum ${meta.crc} on this node; ${expected.length} bytes with ` +
        `checksum ${expected.crc} were expected`,
      )
    }
    if (offset > meta.length)
      throw new GristmillError('EINVAL', `block ${blockName(id)} has ${meta.length} bytes, there is nothing at ${offset}`)
    const from = offset - offset % chunkBytes
    const to = Math.min(meta.length, Math.ceil((offset + length) / chunkBytes) * chunkBytes)
    let crc = 0
    let failed: Error | undefined
    for (let at = from; at < to;) {
      if (failed) throw failed
      const taken = ring.take()
      const frame = taken instanceof Promise ? await taken : taken
      const bytes = Math.min(framePayloadBytesMax, to - at)
      try {
        await fill(store, block, { target: frame.room.subarray(0, bytes), at })
      } catch (error) {
        ring.give(frame)
        throw error
      }
      const crcs = meta.crcs.subarray(at / chunkBytes, Math.ceil((at + bytes) / chunkBytes))
      frame.seal(at, bytes, crcs)
      for (let i = 0; i < crcs.length; i++) crc = combine(crc, crcs[i]!, frame.chunkLength(i))
      channel.send(frame).then(
        () => { ring.give(frame); onBytes(bytes) },
        (error: Error) => { failed = error; ring.give(frame); ring.fail(error) },
      )
      at += bytes
    }
    await channel.end({ length: to - from, crc })
  } finally {
    ring.end()
    await block.close()
  }
}

/** Reads by the thread pool: a slow disk must not block the event loop. */
async function fill(store: BlockStore, { data, meta }: OpenBlock, { target, at }: { target: Buffer; at: number }): Promise<void> {
  let why: unknown
  try {
    const found = await data.read(target, at)
    if (found === target.length) return
    why = new Error(`its file ends at byte ${at + found}`)
  } catch (error) {
    if (isExhaustion(error)) throw exhausted(`block ${blockName(meta.id)} cannot be read from byte ${at} on`, error)
    why = error
  }
  const damage = new GristmillError('CORRUPT', `block ${blockName(meta.id)} cannot be read from byte ${at} on: ${(why as Error).message}`, {
    cause: why,
  })
  await store.damaged(meta.id, damage)
  throw damage
}
