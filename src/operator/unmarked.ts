// Files of JSON that begin with a byte order mark, which the engine does not take: it reads a copy without the mark.

import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createGzip, createZstdCompress } from 'node:zlib'
import type { Disk } from '../ports/disk.ts'
import { markBytes } from '../record/utf8.ts'
import { partBytes } from './partbytes.ts'
import { compressionOf, type TablePart } from './sqltable.ts'

/** Writes the copy to `target`, compressed as the file is; false: the file has no mark, and there is no copy. */
export async function writeUnmarked(
  { path, local }: Pick<TablePart, 'path' | 'local'>,
  { disk, target, pause }: { readonly disk: Disk; readonly target: () => Promise<string>; readonly pause: () => Promise<void> | undefined },
): Promise<boolean> {
  const pieces = partBytes(disk, { path, local })
  try {
    const head: Buffer[] = []
    let bytes = 0
    // A decoder may give few bytes at once.
    for (let next = await pieces.next(); !next.done; next = bytes < 3 ? await pieces.next() : { done: true, value: undefined }) {
      head.push(next.value)
      bytes += next.value.length
    }
    const first = Buffer.concat(head)
    if (markBytes(first) === 0) return false
    const rest = async function* (): AsyncGenerator<Buffer> {
      yield first.subarray(markBytes(first))
      for await (const piece of pieces) {
        yield piece
        await pause()
      }
    }
    const writer = await disk.create(await target(), { mode: 0o600 })
    try {
      const write = async (source: AsyncIterable<Buffer>): Promise<void> => { for await (const piece of source) writer.writeSync(piece) }
      const codec = compressionOf(path)
      if (codec === undefined) await write(rest())
      else await pipeline(Readable.from(rest()), compressor(codec), write)
    } finally {
      await writer.close()
    }
    return true
  } finally {
    await pieces.return(undefined)
  }
}

/** The copy is read once: time counts more than its size. */
const compressor = (codec: NonNullable<ReturnType<typeof compressionOf>>) => (codec === 'gzip'
  ? createGzip({ level: constants.Z_BEST_SPEED })
  : createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } }))
