// Arrow files (the file and the stream format of Arrow IPC) as tables: their columns, and their rows as texts of JSON. Batches are read one
// at a time.

import { zstdDecompressSync } from 'node:zlib'
import type { DataType, RecordBatch } from 'apache-arrow'
import { GristmillError } from '../base/errors.ts'
import { MiB } from '../base/units.ts'
import { arrowColumn } from './arrowtypes.ts'
import { piecesOf, type LineBatch, type LineFile, type LineSource } from './linesource.ts'

const magic = 'ARROW1'
/** A buffer of a compressed column. */
const bufferBytesMax = 1024 * MiB

/** Throws EINVAL for a file that is not Arrow, and for columns that SQL has no types for. */
export async function openArrow(source: LineSource): Promise<LineFile> {
  const { columns, reader } = await opened(source)
  return {
    columns: columns.map(({ name, own: { type } }) => ({ name, type })),
    async *batches(wanted) {
      const encoders = wanted.map(at => columns[at]!.own.encode)
      for await (const batch of batchesOf(reader, source)) {
        const vectors = wanted.map(at => batch.getChildAt(at)!)
        yield { rows: batch.numRows, textOf: (row, place) => encoders[place]!(vectors[place]!, row) } satisfies LineBatch
      }
    },
  }
}

type Reader = AsyncIterable<RecordBatch>

async function opened(source: LineSource): Promise<{
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

async function* batchesOf(reader: Reader, source: LineSource): AsyncGenerator<RecordBatch, void, void> {
  try {
    yield* reader
  } catch (error) {
    throw explained(error, source)
  }
}

/** The package's errors have no classes: it throws whatever a damaged file leads to. */
function explained(error: unknown, source: LineSource): unknown {
  if (error instanceof GristmillError) return error
  const { message } = error as Error
  if (!/codec not found/.test(message)) return unlike(source, message)
  return new GristmillError(
    'EINVAL', `${source.path} is compressed with LZ4, which is not read here; write it without compression, or with ZSTD`,
    { details: { path: source.path } },
  )
}

const unlike = ({ path }: LineSource, why: string): GristmillError =>
  new GristmillError('EINVAL', `${path} is no file or stream of Arrow IPC, or is damaged: ${why}`, { details: { path } })

/** An open file, as the package takes it: it reads the footer first, and each batch at its place. */
async function fileHandle(source: LineSource): Promise<object> {
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
