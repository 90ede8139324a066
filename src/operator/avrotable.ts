// Container files of Avro as tables: their columns, by the schema in the header, and their rows as texts of JSON.

import { GristmillError } from '../base/errors.ts'
import { readHeader } from '../record/avrofile.ts'
import { avroBatches } from '../record/avroreader.ts'
import { ByteFeed } from '../record/bytefeed.ts'
import { newReadCounters } from '../record/records.ts'
import { avroColumns, rawSchema } from './avrocolumns.ts'
import { piecesOf, type LineBatch, type LineFile, type LineSource, type LineTools } from './linesource.ts'

/** Throws EINVAL for a file that is no Avro, and for fields that SQL has no types for. */
export async function openAvro(source: LineSource, { loadAvro }: LineTools): Promise<LineFile> {
  const { path, bytes, part = { start: 0, end: bytes } } = source
  if (!loadAvro) throw new GristmillError('CONFIG_INVALID', 'this process reads no Avro')
  const feed = new ByteFeed(piecesOf(source), 0)
  let schema: unknown
  try {
    ({ schema } = await readHeader(feed, path))
  } finally {
    await feed.close()
  }
  const columns = avroColumns(schema, path)
  return {
    columns,
    async *batches(wanted) {
      const own = wanted.map(at => columns[at]!)
      const range = { path, ...part, aligned: false, open: (from: number) => piecesOf(source, from) }
      const records = avroBatches(range, {
        // Texts are read as bytes, and refused with their field; keys of maps are not.
        input: { invalidUtf8: 'error' }, counters: newReadCounters(), loadAvro, typeIn: avro => avro.typeOf(rawSchema(schema), 'message'),
      })
      for await (const { values } of records) {
        const textOf = (row: number, place: number): string => {
          const { name, encode } = own[place]!
          return encode((values[row] as Record<string, unknown>)[name])
        }
        yield { rows: values.length, textOf } satisfies LineBatch
      }
    },
  }
}
