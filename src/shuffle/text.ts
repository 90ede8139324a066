// Fast decoding and encoding of short strings in buffers, for loops over records. Buffer's `toString` and `write` call these methods in
// the end; calling them directly saves a third of the time for a ten-byte string. Node does not document them: only this file uses them,
// and it falls back to the documented ones.

interface Direct {
  utf8Slice?: (start: number, end: number) => string
  utf8Write?: (text: string, at: number) => number
}

const direct = Buffer.prototype as Direct

export const readText: (bytes: Buffer, start: number, end: number) => string = direct.utf8Slice
  ? (bytes, start, end) => (bytes as unknown as Required<Direct>).utf8Slice(start, end)
  : (bytes, start, end) => bytes.toString('utf8', start, end)

/** REQUIRES: enough room after `at`. Returns the bytes written. */
export const writeText: (bytes: Buffer, text: string, at: number) => number = direct.utf8Write
  ? (bytes, text, at) => (bytes as unknown as Required<Direct>).utf8Write(text, at)
  : (bytes, text, at) => bytes.write(text, at)
