// Rows of output files as bytes, for comparison: lines, and for CSV records, which may have line ends inside of quotes. Files are streamed;
// memory holds one row and one piece.

import { nameOf } from '../../src/base/paths.ts'

const newline = 10
const quote = 34
/** Longer rows are compared by their beginnings. */
const rowBytesMax = 16 * 1024 * 1024

/** Name of a file without the ending of a compression. */
export const plainName = (path: string): string => nameOf(path).replace(/\.(gz|gzip|zst|zstd)$/i, '')

/** Yields each row without its line end. `quoted`: a line end between quotes belongs to the row. */
export async function* rowsOf(pieces: AsyncIterable<Buffer>, quoted: boolean): AsyncGenerator<Buffer, void, undefined> {
  let rest: Buffer[] = []
  let held = 0
  let isOpen = false
  const row = (end: Buffer): Buffer => {
    const whole = rest.length === 0 ? end : Buffer.concat([...rest, end])
    rest = []
    held = 0
    return whole.at(-1) === 13 ? whole.subarray(0, -1) : whole
  }
  for await (const piece of pieces) {
    let start = 0
    for (let at = nextEnd(piece, 0, quoted, isOpen); at.index >= 0; at = nextEnd(piece, start, quoted, false)) {
      yield row(piece.subarray(start, at.index))
      start = at.index + 1
      isOpen = false
    }
    const end = piece.subarray(start)
    if (quoted) isOpen = isQuoteOpen(end, isOpen)
    if (end.length > 0 && held < rowBytesMax) {
      rest.push(Buffer.from(end))
      held += end.length
    }
  }
  if (held > 0) yield row(Buffer.alloc(0))
}

function nextEnd(piece: Buffer, from: number, quoted: boolean, isOpen: boolean): { readonly index: number } {
  if (!quoted) return { index: piece.indexOf(newline, from) }
  for (let i = from; i < piece.length; i++) {
    if (piece[i] === quote) isOpen = !isOpen
    else if (piece[i] === newline && !isOpen) return { index: i }
  }
  return { index: -1 }
}

/** A doubled quote opens and closes: the number of quotes decides. */
function isQuoteOpen(bytes: Buffer, isOpen: boolean): boolean {
  for (const byte of bytes) if (byte === quote) isOpen = !isOpen
  return isOpen
}
