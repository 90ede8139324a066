// A statement that runs, or will: its columns, and its rows as messages, some at a time. INVARIANT: an open query is closed once its last
// row was sent, the portal is closed, or the session ends.

import { GristmillError } from '../../../src/base/errors.ts'
import type { SqlColumn, SqlValue } from '../../../src/base/sql.ts'
import { binaryOf } from './binary.ts'
import { pgText, pgType, type PgType } from './types.ts'
import { cstring, int16, int32, type MessageWriter } from './wire.ts'

type Batch = ReadonlyArray<readonly SqlValue[]>

/** A query whose columns are known. */
export interface OpenedQuery {
  readonly columns: readonly SqlColumn[]
  batches(): AsyncGenerator<Batch, void, void>
  close(): Promise<void>
}

export class PortalRows {
  readonly columns: readonly SqlColumn[]
  readonly types: readonly PgType[]
  readonly #query: OpenedQuery
  #batches: AsyncGenerator<Batch, void, void> | undefined
  #batch: Batch = []
  #at = 0
  #isClosed = false
  /** PortalRows that were given so far. */
  count = 0

  constructor(query: OpenedQuery) {
    this.#query = query
    this.columns = query.columns
    this.types = query.columns.map(({ type }) => pgType(type))
  }

  /** The next row; undefined: there is none. */
  async next(): Promise<readonly SqlValue[] | undefined> {
    while (this.#at >= this.#batch.length) {
      if (this.#isClosed) return undefined
      this.#batches ??= this.#query.batches()
      const { value, done } = await this.#batches.next()
      if (done) return void await this.close()
      this.#batch = value
      this.#at = 0
    }
    this.count++
    return this.#batch[this.#at++]
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#batch = []
    this.#at = 0
    try {
      await this.#batches?.return()
    } finally {
      await this.#query.close()
    }
  }
}

/** Adds RowDescription. `formats`: as in Bind. */
export function describeRows(writer: MessageWriter, columns: readonly SqlColumn[], formats: readonly number[]): void {
  const fields = columns.map(({ name, type }, i) => {
    const { oid, size, modifier } = pgType(type)
    return Buffer.concat([cstring(name), int32(0), int16(0), int32(oid), int16(size), int32(modifier), int16(formatOf(formats, i))])
  })
  writer.add('T', int16(fields.length), ...fields)
}

/** Adds DataRow. Throws EINVAL for a value without a binary format. */
export function addRow(writer: MessageWriter, row: readonly SqlValue[], { columns, types }: PortalRows, formats: readonly number[]): void {
  const fields = row.map((value, i) => {
    if (value === null) return int32(-1)
    const { type } = columns[i]!
    const bytes = formatOf(formats, i) === 1 ? binaryOf(value, type, types[i]!) : Buffer.from(pgText(value, type, types[i]!))
    return Buffer.concat([int32(bytes.length), bytes])
  })
  writer.add('D', int16(fields.length), ...fields)
}

/** Format of a value: all have that of the only code, or text without one. */
export const formatOf = (formats: readonly number[], i: number): number => (formats.length === 1 ? formats[0]! : formats[i] ?? 0)

/** Throws EINVAL for codes that are none, or do not fit the number of values. */
export function checkFormats(formats: readonly number[], values: number): void {
  if (formats.some(format => format !== 0 && format !== 1) || (formats.length > 1 && formats.length !== values))
    throw new GristmillError('EINVAL', `${formats.length} format codes were given for ${values} values; a code is 0 or 1`, {
      details: { sqlstate: '08P01' },
    })
}
