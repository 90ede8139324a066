// Short strings in and out of buffers, for the loops that do it for every record. These methods of Buffer are what its
// `toString` and `write` end in; calling them at once saves a third of the time of a ten-byte string. They are not in
// Node's documentation: this file is the only one that relies on them, and falls back to what is.

interface Direct {
  utf8Slice?: (start: number, end: number) => string
  utf8Write?: (text: string, at: number) => number
}

const direct = Buffer.prototype as Direct

export const readText: (bytes: Buffer, start: number, end: number) => string = direct.utf8Slice
  ? (bytes, start, end) => (bytes as unknown as Required<Direct>).utf8Slice(start, end)
  : (bytes, start, end) => bytes.toString('utf8', start, end)

/** There must be room. Returns the bytes written. */
export const writeText: (bytes: Buffer, text: string, at: number) => number = direct.utf8Write
  ? (bytes, text, at) => (bytes as unknown as Required<Direct>).utf8Write(text, at)
  : (bytes, text, at) => bytes.write(text, at)
