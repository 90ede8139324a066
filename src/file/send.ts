// Sends one block from its source through a pipe: read, checksum, send, with a ring of buffers. One pass over the data gives the
// frames' checksums and, combined, the block's.

import { ChunkTable } from '../block/checksum.ts'
import type { FramePool } from '../block/ring.ts'
import { abortable, abortError, throwIfAborted } from '../base/abort.ts'
import { limits } from '../base/limits.ts'
import type { Pipe, Written } from './pipe.ts'
import { SourceFailed, type BlockSource } from './source.ts'

interface SentBlock extends Written {
  readonly length: number
  readonly crc: number
}

interface SendOptions {
  readonly pool: FramePool
  readonly signal?: AbortSignal | undefined
  readonly onSent?: ((bytes: number) => void) | undefined
  /** Waits for bytes of a source that grows; it may lose patience. */
  readonly waiting?: ((coming: Promise<void>) => Promise<void>) | undefined
}

/**
 * Throws the error that ended the pipe (its details name the node), the signal's reason, SourceFailed, or what `waiting` throws. The pipe
 * is ended in any case.
 */
export async function sendBlock(
  pipe: Pipe, source: BlockSource,
  { pool, signal, onSent, waiting = coming => coming }: SendOptions,
): Promise<SentBlock> {
  const ring = pool.ring()
  const table = new ChunkTable(source.bytes)
  const onAbort = (): void => {
    const reason = abortError(signal!)
    pipe.abort(reason)
    ring.fail(reason)
  }
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    for (let position = 0; position < source.bytes;) {
      throwIfAborted(signal)
      if (pipe.error) throw pipe.error
      const length = Math.min(limits.framePayloadBytesMax, source.bytes - position)
      // Before a buffer is taken, which others may want meanwhile.
      const coming = source.ready?.(position + length)
      if (coming) {
        await abortable(waiting(coming), signal)
        if (pipe.error) throw pipe.error
      }
      const taken = ring.take()
      const frame = taken instanceof Promise ? await taken : taken
      try {
        source.fill(frame.room.subarray(0, length), position)
      } catch (error) {
        ring.give(frame)
        throw new SourceFailed('the source of a block failed', { cause: error })
      }
      frame.seal(position, length)
      frame.addTo(table)
      pipe.send(frame).then(
        () => {
          ring.give(frame)
          onSent?.(length)
        },
        (error: Error) => {
          ring.give(frame)
          ring.fail(error)
        },
      )
      position += length
    }
    const written = await pipe.finish({ length: table.bytes, crc: table.crc })
    return { ...written, length: table.bytes, crc: table.crc }
  } catch (error) {
    pipe.abort(error as Error)
    throwIfAborted(signal)
    throw error
  } finally {
    signal?.removeEventListener('abort', onAbort)
    ring.end()
  }
}
