// Arrow and Avro files as tables: their columns, and their rows as lines of JSON whose values are texts, which the engine reads and casts.

import { GristmillError } from '../base/errors.ts'
import { quotedName } from '../base/sql.ts'
import { MiB } from '../base/units.ts'
import type { Disk } from '../ports/disk.ts'
import { openArrow } from './arrowfile.ts'
import { openAvro } from './avrotable.ts'
import type { LineFile, LineSource, LineTools } from './linesource.ts'
import type { ShapeColumn } from './sqltable.ts'

const formats = { arrow: openArrow, avro: openAvro }

/** Formats whose files are made into lines. */
export type LineKind = keyof typeof formats

export const isLineKind = (kind: string): kind is LineKind => Object.hasOwn(formats, kind)

/** Kinds whose files several tasks may read, each the rows that begin in a part of the file. */
export const isDividedKind = (kind: LineKind): boolean => kind === 'avro'

/** Lines that are given at a time. */
const textChars = 1 * MiB

const opened = (kind: LineKind, source: LineSource, tools: LineTools): Promise<LineFile> => formats[kind](source, tools)

/** Throws EINVAL for a file that is not of its kind, and for columns that SQL has no types for. */
export async function lineColumns(kind: LineKind, source: LineSource, tools: LineTools): Promise<ShapeColumn[]> {
  const { columns } = await opened(kind, source, tools)
  return columns.map(({ name, type }) => lineColumn(name, type))
}

/** A column of the lines: its values are texts of its type, in lists and structs too. */
export function lineColumn(name: string, type: string): ShapeColumn {
  const sql = quotedName(name)
  if (!/^(?:STRUCT|MAP)\(|\]$/.test(type)) return { name, type, read: { type: 'VARCHAR', sql } }
  // The engine takes a text of JSON that becomes bytes for the bytes of its characters: it is cast from a text once more.
  const texts = type.replaceAll(/"(?:[^"]|"")*"|\bBLOB(?=[,)[]|$)/g, part => (part === 'BLOB' ? 'VARCHAR' : part))
  return { name, type, read: { type: 'JSON', sql: texts === type ? sql : `CAST(${sql} AS ${texts})` } }
}

interface Tools extends LineTools {
  readonly kind: LineKind
  readonly disk: Pick<Disk, 'openRead' | 'create'>
}

interface Placed extends Tools {
  /** Path as the user knows it. */
  readonly path: string
  readonly local: string
}

/** Columns of a file of this machine. */
export async function localColumns(placed: Placed): Promise<ShapeColumn[]> {
  return withSource(placed, source => lineColumns(placed.kind, source, placed))
}

interface Wanted {
  /** Path of the new file. */
  readonly target: string
  /** Columns of the table. */
  readonly columns: readonly ShapeColumn[]
  readonly pause: () => Promise<void> | undefined
}

/** Writes the rows of a file of this machine into a new file, as JSON lines with the columns of the table. */
export async function writeLines(placed: Placed, wanted: Wanted): Promise<void> {
  await withSource(placed, source => writeLinesOf(source, placed, wanted))
}

/** Writes the rows of a file, or of its part, into a new file of this machine. */
export async function writeLinesOf(source: LineSource, tools: Tools, { target, columns, pause }: Wanted): Promise<void> {
  const writer = await tools.disk.create(target, { mode: 0o600 })
  try {
    if (source.bytes === 0) return
    for await (const piece of linesOf(source.path, await opened(tools.kind, source, tools), columns)) {
      writer.writeSync(piece)
      await pause()
    }
  } finally {
    await writer.close()
  }
}

async function withSource<T>({ disk, path, local }: Placed, work: (source: LineSource) => Promise<T>): Promise<T> {
  const file = await disk.openRead(local)
  try {
    return await work({
      path, bytes: file.bytes,
      async read(start, end) {
        const piece = Buffer.alloc(end - start)
        for (let at = 0; at < piece.length;) {
          const count = await file.read(piece.subarray(at), start + at)
          if (count === 0) throw new GristmillError('EBUSY', `${path} became shorter while it was read`, { details: { path } })
          at += count
        }
        return piece
      },
    })
  } finally {
    await file.close()
  }
}

/** The rows as JSON lines, with the columns of the table. Throws PROGRAM_INVALID for a file that has others. */
async function* linesOf(path: string, file: LineFile, wanted: readonly ShapeColumn[]): AsyncGenerator<Buffer, void, void> {
  const found = wanted.map(({ name, type }) => {
    const at = file.columns.findIndex(column => column.name.toLowerCase() === name.toLowerCase())
    const column = file.columns[at]
    if (!column || !isSame(column.type, type))
      throw new GristmillError(
        'PROGRAM_INVALID',
        `${path} has ${column ? `a column ${name} of the type ${column.type}` : `no column ${name}`}, and the first `
        + `file of the table has one of the type ${type}; name files that are alike`, { details: { path } },
      )
    return { key: `${JSON.stringify(name)}:`, at }
  })
  let lines: string[] = []
  let chars = 0
  for await (const { rows, textOf } of file.batches(found.map(({ at }) => at)))
    for (let row = 0; row < rows; row++) {
      const line = `{${found.map(({ key }, place) => key + textOf(row, place)).join(',')}}\n`
      lines.push(line)
      chars += line.length
      if (chars < textChars) continue
      yield Buffer.from(lines.join(''))
      lines = []
      chars = 0
    }
  if (lines.length > 0) yield Buffer.from(lines.join(''))
}

/** Types as they are written here and by the engine. */
const isSame = (a: string, b: string): boolean => a.replaceAll(/[\s"]/g, '').toLowerCase() === b.replaceAll(/[\s"]/g, '').toLowerCase()
