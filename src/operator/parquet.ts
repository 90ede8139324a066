// Row groups of Parquet files, as their footers list them, and the parts of a file that are read by themselves: a part is a range of bytes
// in which whole row groups lie. The first part begins with the file, each other one with a row group, and the last one ends with the file.
// The tail, all bytes behind the last row group, belongs to all parts: it has the footer, and bloom filters. A part is read through a copy
// of the file that has only its bytes and the tail, with holes between them, and the numbers of its rows.

import { literalsOf } from '../base/sql.ts'
import type { Database } from '../ports/database.ts'

export interface RowGroup {
  readonly rows: number
  /** First byte of its data, and the end of the last one. */
  readonly start: number
  readonly end: number
  /** First bytes of its bloom filters, lowest and highest. */
  readonly blooms: readonly [number, number] | undefined
}

/** Row groups with rows, in order, by file; a file without any is missing. REQUIRES: `db` reaches the files, or their footers alone. */
export async function readRowGroups(db: Database, files: readonly string[]): Promise<Map<string, RowGroup[]>> {
  const found = new Map<string, RowGroup[]>()
  if (files.length === 0) return found
  const { batches } = await db.query(
    `SELECT file_name, any_value(row_group_num_rows), min(chunk), max(chunk + total_compressed_size), min(bloom_filter_offset),
       max(bloom_filter_offset)
     FROM (SELECT *, list_min(list_filter([dictionary_page_offset, index_page_offset, data_page_offset], lambda x: x > 0)) AS chunk
       FROM parquet_metadata(${literalsOf(files)}))
     WHERE row_group_num_rows > 0 GROUP BY file_name, row_group_id ORDER BY file_name, row_group_id`,
  )
  for await (const rows of batches())
    for (const [file, count, start, end, low, high] of rows) {
      const groups = found.get(file as string) ?? []
      groups.push({
        rows: Number(count), start: Number(start), end: Number(end), blooms: low === null ? undefined : [Number(low), Number(high)],
      })
      found.set(file as string, groups)
    }
  return found
}

/** Bytes of a column in one row group. */
export interface ColumnBytes { readonly start: number; readonly end: number }

interface ChosenColumns { readonly file: string; readonly groups: readonly RowGroup[]; readonly columns: readonly string[] }

interface FoundColumns {
  readonly groups: readonly RowGroup[]
  readonly wanted: ReadonlySet<string>
  readonly found: ColumnBytes[]
  /** Those that are wanted, by row groups. */
  readonly names: Map<number, Set<string>>
}

/**
 * Where the bytes of some columns are in files with these row groups, in their order; a file in which they cannot be told from others is
 * missing. REQUIRES: `db` reaches the files, or their footers alone.
 */
export async function columnBytes(db: Database, chosen: readonly ChosenColumns[]): Promise<Map<string, ColumnBytes[]>> {
  const files = new Map<string, FoundColumns>()
  for (const { file, groups, columns } of chosen) {
    // Filters may lie between the columns.
    if (groups.some(({ blooms }) => blooms?.some(offset => offset < tailOf(groups)))) continue
    files.set(file, { groups, wanted: new Set(columns.map(name => name.toLowerCase())), found: [], names: new Map() })
  }
  if (files.size === 0) return new Map()
  const { batches } = await db.query(
    `SELECT file_name, row_group_id, lower(split_part(path_in_schema, ', ', 1)) AS name,
       list_min(list_filter([dictionary_page_offset, index_page_offset, data_page_offset], lambda x: x > 0)) AS first, total_compressed_size
     FROM parquet_metadata(${literalsOf([...files.keys()])}) WHERE row_group_num_rows > 0 ORDER BY file_name, first`,
  )
  for await (const rows of batches())
    for (const [file, group, name, first, bytes] of rows) {
      const { wanted, found, names } = files.get(file as string)!
      const own = names.get(Number(group)) ?? new Set()
      names.set(Number(group), own)
      if (!wanted.has(name as string)) continue
      own.add(name as string)
      found.push({ start: Number(first), end: Number(first) + Number(bytes) })
    }
  return new Map([...files].filter(([, each]) => isTold(each)).map(([file, { found }]) => [file, found]))
}

const isTold = ({ groups, wanted, found, names }: FoundColumns): boolean =>
  names.size === groups.length && [...names.values()].every(own => own.size === wanted.size)
  && found.every(({ start, end }, i) => start >= 4 && end > start && end <= (found[i + 1]?.start ?? tailOf(groups)))

/** First byte of the tail. */
export const tailOf = (groups: readonly RowGroup[]): number => groups.at(-1)!.end

/** A tail of this size may be read with each part; a larger one only if it is a small share of the file. */
const tailBytesMax = 1 << 20

/**
 * Ranges of bytes of the parts of a file, one for each row group with rows; undefined: the file has to be read as a whole, because it has
 * one row group or none, or its layout is not the usual one.
 */
export function partsOf(groups: readonly RowGroup[], fileBytes: number): ReadonlyArray<readonly [number, number]> | undefined {
  if (groups.length < 2) return undefined
  const tail = tailOf(groups)
  const isUsual = groups.every(({ start, end, blooms }, i) => {
    const next = groups[i + 1]?.start ?? tail
    const isOwn = (offset: number): boolean => offset >= tail || (offset >= start && offset < next)
    return start >= 4 && end > start && end <= next && (blooms === undefined || blooms.every(isOwn))
  })
  if (!isUsual || tail > fileBytes - 12) return undefined
  if (fileBytes - tail > tailBytesMax && (fileBytes - tail) * 8 > fileBytes) return undefined
  return groups.map(({ start }, i) => [i === 0 ? 0 : start, groups[i + 1]?.start ?? fileBytes])
}

/** Numbers of the rows in a part: the first one, and the one behind the last. */
export function rowsWithin(groups: readonly RowGroup[], start: number, end: number): { readonly first: number; readonly end: number } {
  let before = 0
  let rows = 0
  for (const group of groups)
    if (group.start < start) before += group.rows
    else if (group.start < end) rows += group.rows
  return { first: before, end: before + rows }
}
