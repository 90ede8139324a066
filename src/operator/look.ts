// Looks at a part of a table's file before the engine reads it, with the means of its format. The engine takes the end of a compressed file
// for the end of its data and compares no checksum of gzip: the data are decompressed once here, to their end.

import { lookAtCsv, type LookParts } from './csvparts.ts'
import { JsonNumbers } from './jsonnumbers.ts'
import { lookAtParquet } from './parquetfit.ts'
import { partBytes } from './partbytes.ts'
import { compressionOf, type TablePart } from './sqltable.ts'

/**
 * Returns properties of the part that the engine does not find by itself. Throws PROGRAM_INVALID for a file that is unlike the table, and
 * EINVAL for compressed data that are damaged or cut off, and for JSON with numbers that would be other ones.
 */
export async function lookAt(part: TablePart, parts: LookParts): Promise<Pick<TablePart, 'lineEnd' | 'types'>> {
  switch (parts.shape.format.kind) {
    case 'csv':
      if (compressionOf(part.path) !== undefined) await lookAtBytes(part, parts)
      return lookAtCsv(part, parts)
    case 'json':
      await lookAtBytes(part, parts, new JsonNumbers(part.local, part))
      return {}
    case 'parquet': return lookAtParquet(part, parts)
    default: return {}
  }
}

async function lookAtBytes(part: TablePart, { disk, pause }: LookParts, numbers?: JsonNumbers): Promise<void> {
  for await (const piece of partBytes(disk, part)) {
    numbers?.add(piece)
    await pause()
  }
  numbers?.end()
}
