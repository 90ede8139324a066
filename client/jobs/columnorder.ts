// Columns of a CSV file, so that rows of files with another order of columns can be compared: a row's key has its fields in the order of
// their names. Fields are compared as they are written: `"1"` is another field than `1`.

import { hash } from 'node:crypto'
import { examine } from '../../src/record/dialect.ts'
import { parseCsv } from '../../src/record/csv.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'

const quote = 34

export class ColumnOrder {
  readonly names: readonly string[]
  readonly #delimiter: number
  /** For each place in a key the field of the row; undefined if they are in order. */
  readonly #order: readonly number[] | undefined
  /** Digest of the names in the key's order: equal fields under other names are another row. */
  readonly #prefix: Buffer
  /** The same in the order of the header, for rows with another number of fields. */
  readonly #asWritten: Buffer

  constructor(header: Buffer, file: FileStatus) {
    const delimiter = delimiterOf(header, file)
    this.names = namesIn(header, delimiter)
    this.#delimiter = delimiter.charCodeAt(0)
    const order = this.names.map((_, i) => i).sort((a, b) => compare(this.names[a]!, this.names[b]!) || a - b)
    this.#order = order.some((field, i) => field !== i) ? order : undefined
    this.#prefix = digest(order.map(field => this.names[field]!))
    this.#asWritten = digest(this.names)
  }

  keyOf(row: Buffer): Buffer {
    if (!this.#order) return Buffer.concat([this.#prefix, row])
    const fields = splitFields(row, this.#delimiter)
    if (fields.length !== this.names.length) return Buffer.concat([this.#asWritten, row])
    const separator = Buffer.from([this.#delimiter])
    return Buffer.concat([this.#prefix, ...this.#order.flatMap((field, i) => (i === 0 ? [fields[field]!] : [separator, fields[field]!]))])
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
const digest = (names: readonly string[]): Buffer => hash('sha256', JSON.stringify(names), 'buffer').subarray(0, 16)

/** As the file's metadata or its header say; a comma if neither does. */
function delimiterOf(header: Buffer, { path, delimiter }: FileStatus): string {
  if (delimiter !== undefined) return delimiter
  const found = examine({ path, bytes: header, isAll: true, forAll: true })
  return 'ambiguity' in found ? ',' : found.delimiter
}

function namesIn(header: Buffer, delimiter: string): string[] {
  let names: string[] = []
  parseCsv(header.toString('utf8'), { delimiter }, fields => { names = fields })
  return names
}

/** Fields with their quotes. A delimiter between quotes belongs to its field, as a line end does in rows.ts. */
function splitFields(row: Buffer, delimiter: number): Buffer[] {
  const fields: Buffer[] = []
  let isOpen = false
  let from = 0
  for (let i = 0; i < row.length; i++) {
    if (row[i] === quote) isOpen = !isOpen
    else if (row[i] === delimiter && !isOpen) {
      fields.push(row.subarray(from, i))
      from = i + 1
    }
  }
  fields.push(row.subarray(from))
  return fields
}
