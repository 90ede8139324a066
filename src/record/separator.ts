// Excel's line that names what separates the fields (`sep=;`), in front of all rows: it is no row. Told from the bytes as they stand, for
// once the quotes are gone the row of the two cells `sep=` and an empty one looks the same.

const separatorLine = /^"?sep=([^\r\n"])"?(?:\r\n|\r|\n|$)/i

/** The separator that the first line names. `bytes`: the beginning of a file, without a byte order mark. */
export function saidBy(bytes: Buffer): string | undefined {
  const said = separatorLine.exec(bytes.toString('latin1', 0, 12))?.[1]
  return said !== undefined && said.charCodeAt(0) > 0 && said.charCodeAt(0) < 128 ? said : undefined
}
