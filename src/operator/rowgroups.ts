// Puts a part of a Parquet file (src/operator/parquet.ts) where an engine on this machine reads it: the replica of the file itself, if it
// is on this machine, with the bytes checked that are read; else a copy of the row groups of the part and the tail of the file, at the
// places that they have in the file, with holes between them.

import { GristmillError } from '../base/errors.ts'
import { KiB } from '../base/units.ts'
import type { Database } from '../ports/database.ts'
import type { Disk } from '../ports/disk.ts'
import type { SplitRange } from '../protocol/task.ts'
import { columnBytes, partsOf, readRowGroups, rowsWithin, tailOf, type ColumnBytes, type RowGroup } from './parquet.ts'

/** Bytes of files of the cluster, each of them checked. */
export interface RangeSource {
  /** The bytes of the file of a range from `start` to `end`, which may lie outside of the range. A piece is valid until the next one. */
  partOf(range: SplitRange, start: number, end: number): AsyncIterable<Buffer>
  /**
   * Path of the file of a range on this machine, of which these bytes are checked, in their order and without overlaps; undefined: it is
   * read as `partOf` gives it.
   */
  localFile(
    range: SplitRange, ranges: ReadonlyArray<{ readonly start: number; readonly end: number }>, pause: () => Promise<void> | undefined,
  ): Promise<string | undefined>
}

interface FooterParts {
  /** Reads the footers. REQUIRES: it is not confined yet. */
  readonly db: Database
  readonly source: Pick<RangeSource, 'partOf'>
  readonly disk: Disk
}

interface FileColumns {
  /** A range of the file. */
  readonly range: SplitRange
  /** Columns that are read. Default: all. */
  readonly columns: readonly string[] | undefined
  /** Path for the footer alone, which does not exist. */
  readonly footer: string
}

/** Row groups of a file, and places of columns, by its footer. */
export interface FileFooter {
  readonly groups: readonly RowGroup[]
  /** Bytes of the columns that are read; undefined: all, or they cannot be told from others. */
  readonly columns: readonly ColumnBytes[] | undefined
}

/** Reads the footers of the files, in their order, with few questions to the engine: each takes some milliseconds. */
export async function readFooters({ db, source, disk }: FooterParts, files: readonly FileColumns[]): Promise<FileFooter[]> {
  for (const { range, footer } of files) await writeFooter({ source, range, disk }, footer)
  const found = await readRowGroups(db, files.map(({ footer }) => footer))
  const chosen = files.flatMap(({ columns, footer }) => {
    const groups = found.get(footer)
    return columns && groups ? [{ file: footer, groups, columns }] : []
  })
  const bytes = await columnBytes(db, chosen)
  for (const { footer } of files) await disk.remove(footer)
  return files.map(({ footer }) => ({ groups: found.get(footer) ?? [], columns: bytes.get(footer) }))
}

interface PlaceParts {
  readonly source: RangeSource
  readonly range: SplitRange
  readonly footer: FileFooter
  /** Path of a copy, which does not exist. */
  readonly copy: string
  readonly disk: Disk
  readonly pause: () => Promise<void> | undefined
}

/** `bytes`: those of the part that are read. `rows`: numbers of its rows in the file. */
interface PlacedPart { readonly local: string; readonly bytes: number; readonly rows: { readonly first: number; readonly end: number } }

/** Most footers are shorter. */
const footerBytes = 64 * KiB

/** undefined: the part is a whole file, of a layout in which the bytes of its columns cannot be told. */
export async function placeRowGroups(parts: PlaceParts): Promise<PlacedPart | undefined> {
  const { source, range, footer: { groups, columns: own }, copy, pause } = parts
  const { path, start, end, fileBytes } = range
  if (start === 0 && end === fileBytes && !isUsual(groups, fileBytes)) return undefined
  if (groups.length === 0) throw new GristmillError('PROGRAM_INVALID', `${path} has no row groups`)
  const rows = rowsWithin(groups, start, end)
  const tail = tailOf(groups)
  const read = [
    // Row groups are whole in a part.
    ...own?.filter(each => each.start >= start && each.start < end) ?? [{ start: Math.max(start, magic.length), end: Math.min(end, tail) }],
    { start: tail, end: fileBytes },
  ]
  const local = await source.localFile(range, read, pause)
  if (local !== undefined) return { local, rows, bytes: read.reduce((sum, each) => sum + each.end - each.start, 0) }
  await copyRowGroups(parts, tail)
  return { local: copy, rows, bytes: end - start }
}

function isUsual(groups: readonly RowGroup[], fileBytes: number): boolean {
  const [first, more] = groups
  if (first && !more) return first.start >= magic.length && first.end > first.start && first.end <= fileBytes - footerLeast
  return partsOf(groups, fileBytes) !== undefined
}

/** Its length, and the marks around it. */
const footerLeast = 12

/** The footer, as a file of its own. */
async function writeFooter(
  { source, range, disk }: Pick<FooterParts, 'source' | 'disk'> & Pick<FileColumns, 'range'>, target: string,
): Promise<void> {
  const { path, fileBytes } = range
  const bytesFrom = async (from: number): Promise<Buffer> => {
    const pieces: Buffer[] = []
    for await (const piece of source.partOf(range, from, fileBytes)) pieces.push(Buffer.from(piece))
    return Buffer.concat(pieces)
  }
  let last = await bytesFrom(Math.max(0, fileBytes - footerBytes))
  const footer = last.length < footerLeast ? 0 : last.readUInt32LE(last.length - 8) + 8
  if (footer < footerLeast || footer > fileBytes) throw new GristmillError('PROGRAM_INVALID', `${path} is no Parquet file: it does not end as one`)
  if (footer > last.length) last = await bytesFrom(fileBytes - footer)
  await written(disk, target, async writer => {
    writer.writeSync(magic)
    writer.writeSync(last.subarray(last.length - footer))
  })
}

async function copyRowGroups({ source, range, copy, disk, pause }: PlaceParts, tail: number): Promise<void> {
  const { path, start, end, fileBytes } = range
  await written(disk, copy, async writer => {
    writer.writeSync(magic)
    const sections = [[Math.max(start, magic.length), Math.min(end, tail)], [tail, fileBytes]] as const
    for (const [from, to] of sections) {
      const hole = from - writer.bytes
      if (writer.skipSync) writer.skipSync(hole)
      else writer.writeSync(Buffer.alloc(hole))
      for await (const piece of source.partOf(range, from, to)) {
        writer.writeSync(piece)
        await pause()
      }
    }
    if (writer.bytes !== fileBytes) throw new GristmillError('UNAVAILABLE', `${path} has ended at byte ${writer.bytes} of ${fileBytes}`)
  })
}

const magic = Buffer.from('PAR1')

async function written(disk: Disk, path: string, write: (writer: Awaited<ReturnType<Disk['create']>>) => Promise<void>): Promise<void> {
  const writer = await disk.create(path, { mode: 0o600 })
  try {
    await write(writer)
  } finally {
    await writer.close()
  }
}
