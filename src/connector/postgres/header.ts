// First line of a CSV file: the names of its columns. The rows behind it are passed on as they are.

import { GristmillError } from '../../base/errors.ts'

/** Bytes of a header: 1,600 columns with names of 63 bytes are the most that PostgreSQL has. */
const headerBytesMax = 256 * 1024

/** Undefined columns: the file is empty. `lines`: those of the header. Throws EINVAL. */
export async function headed(
  items: AsyncIterable<Uint8Array>, name: string,
): Promise<{ columns?: readonly string[]; lines: number; rows: AsyncIterable<Uint8Array> }> {
  const iterator = items[Symbol.asyncIterator]()
  let bytes = Buffer.alloc(0)
  for (;;) {
    const end = endOfLine(bytes)
    const next = end < 0 ? await iterator.next() : undefined
    if (next && !next.done) {
      bytes = Buffer.concat([bytes, next.value])
      if (bytes.length > headerBytesMax && endOfLine(bytes) < 0)
        throw new GristmillError('EINVAL', `${name}: the first line, which should name the columns, is longer than any header`)
      continue
    }
    if (bytes.length === 0) return { lines: 0, rows: (async function* () {})() }
    const line = bytes.subarray(0, end < 0 ? bytes.length : end)
    const rest = bytes.subarray(end < 0 ? bytes.length : end + 1)
    const rows = async function* (): AsyncGenerator<Uint8Array> {
      if (rest.length > 0) yield rest
      for (let more = await iterator.next(); !more.done; more = await iterator.next()) yield more.value
    }
    const text = line.toString('utf8').replace(/^\ufeff/, '').replace(/\r$/, '')
    return { columns: columnsOf(text, name), lines: text.split('\n').length, rows: rows() }
  }
}

/** Offset of the first line feed outside of quotes. */
function endOfLine(bytes: Buffer): number {
  let isQuoted = false
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] === 0x22) isQuoted = !isQuoted
    else if (bytes[i] === 0x0a && !isQuoted) return i
  }
  return -1
}

function columnsOf(line: string, name: string): string[] {
  const columns: string[] = []
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y
  for (;;) {
    const match = field.exec(line)
    if (!match) throw new GristmillError('EINVAL', `${name}: its first line is not a header of names with commas between them`)
    columns.push(match[1]?.replaceAll('""', '"') ?? match[2]!)
    if (match[3] === '') return columns
  }
}
