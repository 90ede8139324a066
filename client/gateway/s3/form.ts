// Body of a form (`multipart/form-data`): its fields, and the bytes of its file, which stream. The file is the last field that counts.
// INVARIANT: the file ends without an error only if the form was received to its end.

import type { Exchange } from '../exchange.ts'
import { S3Error } from './errors.ts'

export interface Form {
  /** Names in lower case. */
  readonly fields: ReadonlyMap<string, string>
  /** Name of the file on its sender's machine; '' if the form has none. */
  readonly filename: string
  /** REQUIRES: read once. */
  readonly file: () => AsyncGenerator<Buffer, void, undefined>
  /** Gives up the rest of the body. */
  readonly close: () => void
}

/** Bytes of all fields together. */
const fieldBytesMax = 20 * 1024
const fieldsMax = 100

export const isForm = ({ method, headers }: Exchange): boolean =>
  method === 'POST' && /^multipart\/form-data\s*;/i.test(headers['content-type'] ?? '')

const malformed = (cause: unknown): S3Error =>
  new S3Error('InvalidArgument', 'The body of your POST request is not well-formed multipart/form-data.', { cause })

/** Reads the fields up to the file. Throws InvalidArgument, MaxPostPreDataLengthExceeded, ABORTED. */
export async function readForm(exchange: Exchange): Promise<Form> {
  const reader = new FormReader(await loaded(), exchange)
  try {
    await reader.readFields()
    return reader
  } catch (error) {
    reader.close()
    throw error
  }
}

type BusboyClass = typeof import('@fastify/busboy').Busboy

const loaded = async (): Promise<BusboyClass> => (await import('@fastify/busboy')).Busboy

/**
 * Gives the parser a piece of the body when a field or a byte of the file is asked for, and never ahead: while an answer is sent, nothing
 * of this reader waits for the connection.
 */
class FormReader implements Form {
  readonly fields = new Map<string, string>()
  filename = ''
  readonly #body: AsyncGenerator<Buffer, void, undefined>
  readonly #parser: InstanceType<BusboyClass>
  readonly #failed = Promise.withResolvers<never>()
  #fieldBytes = 0
  #hasFile = false
  #failure: unknown
  #pieces: Buffer[] = []

  constructor(Busboy: BusboyClass, exchange: Exchange) {
    this.#body = exchange.body()
    this.#parser = parserOf(Busboy, exchange)
    this.#failed.promise.catch(() => {})
    this.#parser.on('field', (name, value, nameTruncated, valueTruncated) => this.#take(name, value, nameTruncated || valueTruncated))
    this.#parser.on('fieldsLimit', () => this.#fail(tooLong()))
    this.#parser.on('error', error => this.#fail(malformed(error)))
    this.#parser.on('file', (_, stream, filename) => {
      this.#hasFile = true
      this.filename = filename ?? ''
      stream.on('data', (piece: Buffer) => this.#pieces.push(piece))
      stream.on('error', error => this.#fail(malformed(error)))
    })
  }

  async readFields(): Promise<void> {
    while (!this.#hasFile && await this.#feed()) { /* until the file begins */ }
    if (!this.#hasFile) throw new S3Error('InvalidArgument', 'POST requires exactly one file upload per request.')
  }

  async *file(): AsyncGenerator<Buffer, void, undefined> {
    for (let more = true; more;) {
      more = await this.#feed()
      const pieces = this.#pieces
      this.#pieces = []
      yield* pieces
    }
  }

  close(): void {
    void this.#body.return()
    this.#parser.destroy()
  }

  /** Parses the next piece of the body; false: it was the end. */
  async #feed(): Promise<boolean> {
    // Bytes that the parser has found in the last piece come first.
    if (this.#pieces.length > 0) return true
    const { value, done } = await this.#body.next()
    const parsed = Promise.withResolvers<void>()
    if (done) this.#parser.once('finish', () => parsed.resolve()).end()
    else this.#parser.write(value, () => parsed.resolve())
    await Promise.race([parsed.promise, this.#failed.promise])
    if (this.#failure !== undefined) throw this.#failure
    return !done
  }

  #take(name: string, value: string, truncated: boolean): void {
    const lower = name.toLowerCase()
    this.#fieldBytes += name.length + value.length
    if (truncated || this.#fieldBytes > fieldBytesMax) this.#fail(tooLong())
    // Those behind the file are not part of what is stored.
    else if (this.#hasFile) return
    else if (this.fields.has(lower)) this.#fail(new S3Error('InvalidArgument', `The form has the field ${lower.slice(0, 100)} twice.`))
    else this.fields.set(lower, value)
  }

  #fail(error: unknown): void {
    this.#failure ??= error
    this.#failed.reject(error)
  }
}

const tooLong = (): S3Error =>
  new S3Error('MaxPostPreDataLengthExceeded', 'Your POST request fields preceding the upload file were too large.')

function parserOf(Busboy: BusboyClass, { headers }: Exchange): InstanceType<BusboyClass> {
  try {
    return new Busboy({
      headers: { 'content-type': headers['content-type']! }, isPartAFile: name => name?.toLowerCase() === 'file',
      limits: { fieldNameSize: 256, fieldSize: fieldBytesMax, fields: fieldsMax, files: 1, headerPairs: 20, headerSize: 8192 },
    })
  } catch (error) {
    throw malformed(error)
  }
}
