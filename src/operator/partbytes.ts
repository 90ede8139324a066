// Bytes of a part of a table's file on this machine, decompressed if the file is compressed.

import { MiB } from '../base/units.ts'
import type { Disk } from '../ports/disk.ts'
import { decompressed } from '../record/decompress.ts'
import { compressionOf, type TablePart } from './sqltable.ts'

/** In pieces, which the caller owns. Throws EINVAL for compressed data that is damaged or cut off. */
export function partBytes(
  disk: Pick<Disk, 'openRead'>, { path, local }: Pick<TablePart, 'path' | 'local'>,
): AsyncGenerator<Buffer, void, void> {
  const compression = compressionOf(path)
  const pieces = piecesOf(disk, local)
  return compression === undefined ? pieces : decompressed(pieces, compression, path)
}

async function* piecesOf(disk: Pick<Disk, 'openRead'>, local: string): AsyncGenerator<Buffer, void, void> {
  const file = await disk.openRead(local)
  try {
    for (let at = 0; at < file.bytes;) {
      const piece = Buffer.alloc(Math.min(1 * MiB, file.bytes - at))
      const count = await file.read(piece, at)
      if (count === 0) return
      at += count
      yield piece.subarray(0, count)
    }
  } finally {
    await file.close()
  }
}
