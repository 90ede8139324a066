// Rows of the catalogue. Table "tables": name in lower case → a table or view with its columns.

import type { CatalogTable } from '../../src/protocol/table.ts'
import { decodeValue, encodeValue } from '../journal/codec.ts'
import type { Draft } from '../journal/draft.ts'
import { textKey } from '../journal/keys.ts'
import type { View } from '../journal/view.ts'

const keyOf = (name: string): Buffer => textKey(name.toLowerCase())

export function tableAt(view: View, name: string): CatalogTable | undefined {
  const bytes = view.get('tables', keyOf(name))
  return bytes && decodeValue<CatalogTable>(bytes)
}

export const putTable = (draft: Draft, table: CatalogTable): void => draft.put('tables', keyOf(table.name), encodeValue(table))

export const removeTable = (draft: Draft, name: string): void => draft.remove('tables', keyOf(name))

/** Tables in byte order of their names in lower case, after `after`; some at least, and then no more than `bytesMax` of rows. */
export function tablesAfter(
  view: View, after: string | undefined, { limit, bytesMax }: { readonly limit: number; readonly bytesMax: number },
): { readonly tables: CatalogTable[]; readonly isLast: boolean } {
  // Names contain no NUL.
  const start = after === undefined ? undefined : textKey(`${after.toLowerCase()}\0`)
  const tables: CatalogTable[] = []
  let bytes = 0
  for (const { value } of view.range('tables', { start, limit })) {
    if (bytes > bytesMax) return { tables, isLast: false }
    bytes += value.length
    tables.push(decodeValue<CatalogTable>(value))
  }
  return { tables, isLast: tables.length < limit }
}
