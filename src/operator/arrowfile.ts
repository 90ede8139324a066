// Arrow files (the file and the stream format of Arrow IPC) as tables: their columns, and their rows as lines of JSON whose values are
// texts, which the engine reads and casts. Batches are read one at a time.

import { zstdDecompressSync } from 'node:zlib'
import type { DataType, RecordBatch } from 'apache-arrow'
import { GristmillError } from '../base/errors.ts'
import { quotedName } from '../base/sql.ts'
import { KiB, MiB } from '../base/units.ts'
import type { Disk } from '../ports/disk.ts'
import { arrowColumn } from './arrowtypes.ts'
import type { ShapeColumn } from './sqltable.ts'

/** Bytes of a file, wherever it is. */
interface ArrowSource {
  readonly path: string
  readonly bytes: number
  /** REQUIRES: the range lies in the file. */
  read(start: number, end: number): Promise<Buffer>
}

const magic = 'ARROW1'
const pieceBytes = 256 * KiB
/** Lines that are given at a time. */
const textChars = 1 * MiB
/** A buffer of a compressed column. */
const bufferBytesMax = 1024 * MiB

/** Throws EINVAL for a file that is not Arrow, and for columns that SQL has no types for. */
export async function arrowColumns(source: ArrowSource): Promise<ShapeColumn[]> {
  const { columns } = await opened(source)
  return columns.map(({ name, own: { type } }) => lineColumn(name, type))
}

/** A column of the lines: its values are texts of its type, in lists and structs too. */
export function lineColumn(name: string, type: string): ShapeColumn {
  const sql = quotedName(name)
  if (!/^(?:STRUCT|MAP)\(|\]$/.test(type)) return { name, type, read: { type: 'VARCHAR', sql } }
  // The engine takes a text of JSON that becomes bytes for the bytes of its characters: it is cast from a text once more.
  const texts = type.replaceAll(/"(?:[^"]|"")*"|\bBLOB(?=[,)[]|$)/g, part => (part === 'BLOB' ? 'VARCHAR' : part))
  return { name, type, read: { type: 'JSON', sql: texts === type ? sql : `CAST(${sql} AS ${texts})` } }
}

interface Placed {
  readonly disk: Pick<Disk, 'openRead' | 'create'>
  /** Path as the user knows it. */
  readonly path: string
  readonly local: string
}

/** Columns of a file of this machine. */
export async function localColumns(placed: Placed): Promise<ShapeColumn[]> { return withSource(placed, arrowColumns) }

/** Writes the rows of a file of this machine into a new file, as JSON lines with the columns of the table. */
export async function writeLines(
  placed: Placed, { target, columns, pause }: {
    readonly target: string; readonly columns: readonly ShapeColumn[]; readonly pause: () => Promise<void> | undefined
  },
): Promise<void> {
  await withSource(placed, async source => {
    const writer = await placed.disk.create(target, { mode: 0o600 })
    try {
      for await (const piece of arrowLines(source, columns)) {
        writer.writeSync(piece)
        await pause()
      }
    } finally {
      await writer.close()
    }
  })
}

async function withSource<T>({ disk, path, local }: Placed, work: (source: ArrowSource) => Promise<T>): Promise<T> {
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
async function* arrowLines(source: ArrowSource, wanted: readonly ShapeColumn[]): AsyncGenerator<Buffer, void, void> {
  if (source.bytes === 0) return
  const { columns, reader } = await opened(source)
  const found = wanted.map(({ name, type }) => {
    const at = columns.findIndex(column => column.name.toLowerCase() === name.toLowerCase())
    const column = columns[at]
    if (!column || !isSame(column.own.type, type))
      throw new GristmillError(
        'PROGRAM_INVALID',
        `${source.path} has ${column ? `a column ${name} of the type ${column.own.type}` : `no column ${name}`}, and the first `
        + `file of the table has one of the type ${type}; name files that are alike`, { details: { path: source.path } },
      )
    return { key: `${JSON.stringify(name)}:`, at, encode: column.own.encode }
  })
  let lines: string[] = []
  let chars = 0
  for await (const batch of batchesOf(reader, source)) {
    const vectors = found.map(({ at }) => batch.getChildAt(at)!)
    for (let row = 0; row < batch.numRows; row++) {
      const line = `{${found.map(({ key, encode }, i) => key + encode(vectors[i]!, row)).join(',')}}\n`
      lines.push(line)
      chars += line.length
      if (chars < textChars) continue
      yield Buffer.from(lines.join(''))
      lines = []
      chars = 0
    }
  }
  if (lines.length > 0) yield Buffer.from(lines.join(''))
}

/** Types as they are written here and by the engine. */
const isSame = (a: string, b: string): boolean => a.replaceAll(/[\s"]/g, '').toLowerCase() === b.replaceAll(/[\s"]/g, '').toLowerCase()

type Reader = AsyncIterable<RecordBatch>

async function opened(source: ArrowSource): Promise<{
  readonly columns: ReadonlyArray<{ readonly name: string; readonly own: ReturnType<typeof arrowColumn> }>; readonly reader: Reader
}> {
  const arrow = await import('apache-arrow')
  arrow.compressionRegistry.set(arrow.CompressionType.ZSTD, {
    decode: bytes => zstdDecompressSync(bytes, { maxOutputLength: bufferBytesMax }),
  })
  const { path } = source
  const head = (await source.read(0, Math.min(source.bytes, magic.length))).toString('latin1')
  if (source.bytes === 0) throw unlike(source, 'it is empty')
  try {
    const from = head === magic ? await fileHandle(source) : piecesOf(source)
    const reader = await (await arrow.RecordBatchReader.from(from as never) as unknown as { open(): Promise<Opened> }).open()
    const names = new Set<string>()
    const columns = reader.schema.fields.map(({ name, type }) => {
      if (names.has(name.toLowerCase()))
        throw new GristmillError('EINVAL', `${path} has two columns of the name ${name}, which SQL takes for one`, { details: { path } })
      names.add(name.toLowerCase())
      return { name, own: arrowColumn(type as DataType, { arrow, path, column: name }) }
    })
    if (columns.length === 0) throw unlike(source, 'it has no columns')
    return { columns, reader }
  } catch (error) {
    throw explained(error, source)
  }
}

interface Opened extends Reader { readonly schema: { readonly fields: ReadonlyArray<{ readonly name: string; readonly type: unknown }> } }

async function* batchesOf(reader: Reader, source: ArrowSource): AsyncGenerator<RecordBatch, void, void> {
  try {
    yield* reader
  } catch (error) {
    throw explained(error, source)
  }
}

/** The package's errors have no classes: it throws whatever a damaged file leads to. */
function explained(error: unknown, source: ArrowSource): unknown {
  if (error instanceof GristmillError) return error
  const { message } = error as Error
  if (!/codec not found/.test(message)) return unlike(source, message)
  return new GristmillError(
    'EINVAL', `${source.path} is compressed with LZ4, which is not read here; write it without compression, or with ZSTD`,
    { details: { path: source.path } },
  )
}

const unlike = ({ path }: ArrowSource, why: string): GristmillError =>
  new GristmillError('EINVAL', `${path} is no file or stream of Arrow IPC, or is damaged: ${why}`, { details: { path } })

async function* piecesOf(source: ArrowSource): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < source.bytes; at += pieceBytes) yield source.read(at, Math.min(source.bytes, at + pieceBytes))
}

/** An open file, as the package takes it: it reads the footer first, and each batch at its place. */
async function fileHandle(source: ArrowSource): Promise<object> {
  const tail = source.bytes < 2 * magic.length + 4 ? '' : (await source.read(source.bytes - magic.length, source.bytes)).toString('latin1')
  if (tail !== magic) throw unlike(source, 'it does not end as one')
  return {
    fd: -1,
    stat: async () => ({ size: source.bytes }),
    async read(buffer: Uint8Array, offset: number, length: number, position: number) {
      const end = Math.min(source.bytes, position + length)
      const piece = position >= end ? Buffer.alloc(0) : await source.read(position, end)
      buffer.set(piece, offset)
      return { bytesRead: piece.length, buffer }
    },
    close: async () => {},
  }
}
