// Verification of a block: reads all of it and compares each chunk with the checksum that was stored when the block was written.

import { crcOf } from '../../src/block/checksum.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { blockName } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { OpenBlock } from './store.ts'

export interface VerifyOptions {
  readonly signal?: AbortSignal | undefined
  /** Called after each read with its number of bytes; the next read waits until it settles. */
  readonly pace?: ((bytes: number) => Promise<void>) | undefined
}

/** Throws CORRUPT if the block is damaged, or the disk's error if it cannot be read. */
export async function readWhole({ meta, data }: OpenBlock, { signal, pace }: VerifyOptions = {}): Promise<void> {
  const { chunkBytes, framePayloadBytesMax } = limits
  const name = blockName(meta.id)
  const buffer = Buffer.allocUnsafe(Math.min(framePayloadBytesMax, meta.length))
  for (let at = 0; at < meta.length; at += buffer.length) {
    signal?.throwIfAborted()
    const expected = Math.min(buffer.length, meta.length - at)
    const found = await data.read(buffer.subarray(0, expected), at)
    if (found < expected) throw new GristmillError('CORRUPT', `block ${name} ends at byte ${at + found}`)
    for (let i = 0; i < found; i += chunkBytes) {
      if (crcOf(buffer.subarray(i, Math.min(i + chunkBytes, found))) !== meta.crcs[(at + i) / chunkBytes])
        throw new GristmillError('CORRUPT', `block ${name} is damaged in its chunk at byte ${at + i}`)
    }
    await pace?.(found)
  }
}
