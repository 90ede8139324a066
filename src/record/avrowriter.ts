// Writer of container files of Avro. A record is the emitted value; { key, value } where there is a key. The marker between the blocks
// comes from the schema and the first block, so that each attempt of a task writes the same bytes. With the codec deflate, so does each
// machine with the same version of zlib.

import { createHash } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import { GristmillError, hasCode } from '../base/errors.ts'
import type { OutputOptions } from '../base/formats.ts'
import { KiB } from '../base/units.ts'
import { asWrongUse, wrongUse } from '../base/wronguse.ts'
import type { AvroType, LoadAvro } from '../ports/avro.ts'
import { magic, markerBytes, numberBytes } from './avrofile.ts'
import type { RecordWriter } from './writer.ts'

/** A reader has one block in memory; what is packed together is smaller. */
const blockBytes = 64 * KiB

/** Throws EINVAL for what is no schema, CONFIG_INVALID without the package. */
export async function avroWriter(
  { schema, codec = 'deflate' }: Pick<OutputOptions, 'schema' | 'codec'>, loadAvro: LoadAvro | undefined,
): Promise<RecordWriter> {
  if (!loadAvro) throw new GristmillError('CONFIG_INVALID', 'this process writes no Avro')
  const avro = await loadAvro()
  let text: string
  let type: AvroType
  try {
    text = typeof schema === 'string' ? schema : JSON.stringify(schema)
    const parsed: unknown = JSON.parse(text)
    // JSON.stringify escapes half of a surrogate pair, which UTF-8 does not have.
    if (!text.isWellFormed()) text = JSON.stringify(parsed)
    type = avro.typeOf(parsed, 'write')
  } catch (error) {
    throw asWrongUse(new GristmillError(
      'EINVAL', `the schema of the Avro output cannot be read: ${(error as Error).message}`, { cause: error },
    ))
  }
  return new AvroWriter(type, text, codec)
}

class AvroWriter implements RecordWriter {
  readonly #type: AvroType
  readonly #schema: string
  readonly #codec: 'deflate' | 'null'
  #block: Uint8Array[] = []
  #blockBytes = 0
  #blockRecords = 0
  /** Blocks, and the header before the first. */
  #ready: Buffer[] = []
  #readyBytes = 0
  #marker: Buffer | undefined
  records = 0

  constructor(type: AvroType, schema: string, codec: 'deflate' | 'null') {
    this.#type = type
    this.#schema = schema
    this.#codec = codec
  }

  get pendingBytes(): number { return this.#readyBytes + this.#blockBytes + (this.#blockRecords > 0 ? 1 : 0) }

  write(key: unknown, value: unknown): void {
    const record = key === null || key === undefined ? value : { key, value }
    let bytes: Uint8Array
    try {
      bytes = this.#type.encode(record)
    } catch (error) {
      if (!hasCode(error, 'EINVAL')) throw error
      throw wrongUse(
        `record ${this.records + 1} does not fit the schema of the Avro output: ${error.message}; change the schema, or the record`,
      )
    }
    this.#block.push(bytes)
    this.#blockBytes += bytes.length
    this.#blockRecords++
    this.records++
    if (this.#blockBytes >= blockBytes) this.#seal()
  }

  take(): Buffer {
    this.#seal()
    const taken = Buffer.concat(this.#ready)
    this.#ready = []
    this.#readyBytes = 0
    return taken
  }

  #seal(): void {
    if (this.#blockRecords === 0) return
    const bytes = Buffer.concat(this.#block)
    const stored = this.#codec === 'deflate' ? deflateRawSync(bytes) : bytes
    if (!this.#marker) {
      this.#marker = createHash('sha256').update(this.#schema).update(bytes).digest().subarray(0, markerBytes)
      this.#push(headerOf(this.#schema, this.#codec, this.#marker))
    }
    this.#push(Buffer.concat([numberBytes(this.#blockRecords), numberBytes(stored.length), stored, this.#marker]))
    this.#block = []
    this.#blockBytes = this.#blockRecords = 0
  }

  #push(bytes: Buffer): void {
    this.#ready.push(bytes)
    this.#readyBytes += bytes.length
  }
}

function headerOf(schema: string, codec: string, marker: Buffer): Buffer {
  const text = (value: string): Buffer => Buffer.concat([numberBytes(Buffer.byteLength(value)), Buffer.from(value)])
  return Buffer.concat([
    magic, numberBytes(2), text('avro.codec'), text(codec), text('avro.schema'), text(schema), numberBytes(0), marker,
  ])
}
