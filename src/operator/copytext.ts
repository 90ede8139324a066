// The statement that writes the rows of a query into a file.

import { literalOf, type SqlType } from '../base/sql.ts'
import type { Database } from '../ports/database.ts'

interface CopyTarget {
  readonly file: string
  readonly format: 'parquet' | 'csv'
  /** Each value comes back as it is, also the sign of a zero. */
  readonly isExact: boolean
}

const copyOptions = { parquet: 'FORMAT parquet', csv: 'FORMAT csv, HEADER' } as const
/** A dictionary of the engine's writer has one of 0.0 and -0.0, and gives it for both. Files without dictionaries are larger. */
const noDictionary = ', DICTIONARY_SIZE_LIMIT 0'

export async function copyText(db: Database, select: string, { file, format, isExact }: CopyTarget): Promise<string> {
  const isPlain = isExact && format === 'parquet' && (await db.columnsOf(select)).some(({ type }) => hasFloats(type))
  return `COPY (${select}\n) TO ${literalOf(file)} (${copyOptions[format]}${isPlain ? noDictionary : ''})`
}

function hasFloats(type: SqlType): boolean {
  switch (type.kind) {
    case 'list': return hasFloats(type.item)
    case 'map': return hasFloats(type.key) || hasFloats(type.value)
    case 'struct': case 'union': return type.fields.some(field => hasFloats(field.type))
    default: return type.name === 'DOUBLE' || type.name === 'FLOAT'
  }
}
