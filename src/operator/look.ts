// Looks at a part of a table's file before the engine reads it, with the means of its format.

import { lookAtCsv, type LookParts } from './csvparts.ts'
import { lookAtParquet } from './parquetfit.ts'
import type { TablePart } from './sqltable.ts'

/** Returns properties of the part that the engine does not find by itself. Throws PROGRAM_INVALID for a file that is unlike the table. */
export async function lookAt(part: TablePart, parts: LookParts): Promise<Pick<TablePart, 'lineEnd' | 'types'>> {
  switch (parts.shape.format.kind) {
    case 'csv': return lookAtCsv(part, parts)
    case 'parquet': return lookAtParquet(part, parts)
    default: return {}
  }
}
