// Excel's `sep=;` line, which names the delimiter before the first row and is not a row itself. Recognised in the raw bytes, because after
// parsing it looks like a row of the two cells `sep=` and an empty one.

const separatorLine = /^"?sep=([^\r\n"])"?(?:\r\n|\r|\n|$)/i

/** The delimiter named by a `sep=` line; undefined without one. `bytes`: the beginning of a file, without a byte order mark. */
export function namedSeparator(bytes: Buffer): string | undefined {
  const delimiter = separatorLine.exec(bytes.toString('latin1', 0, 12))?.[1]
  return delimiter !== undefined && delimiter.charCodeAt(0) > 0 && delimiter.charCodeAt(0) < 128 ? delimiter : undefined
}
