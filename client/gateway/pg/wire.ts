// Bytes of the PostgreSQL protocol 3.0: messages of a client are read from its connection in order, within bounds, and answers are
// collected and written with back-pressure. INVARIANT: a connection holds at most one message and `aheadBytes` that were received, and one
// chunk of answers.

import type { Duplex } from 'node:stream'
import { GristmillError } from '../../../src/base/errors.ts'
import { KiB, MiB } from '../../../src/base/units.ts'

/** Longest message: a statement of a million characters, or values of a Bind. */
const messageBytesMax = 8 * MiB
/** Before the client is known; the first message has no type. */
const startBytesMax = 10_000
/** Received bytes that wait while a statement runs. Then the connection is not read until they are taken. */
const aheadBytes = 256 * KiB

export interface ClientMessage { readonly type: string; readonly body: Buffer }

/** Throws EINVAL for what is no message of the protocol, TOO_LARGE for a message over the bound. */
export class MessageReader {
  readonly #stream: Duplex
  readonly #onEnd: () => void
  #pieces: Buffer[] = []
  #bytes = 0
  #ended = false
  #wake: (() => void) | undefined

  /** `onEnd`: called when the client has gone. */
  constructor(stream: Duplex, onEnd: () => void) {
    this.#stream = stream
    this.#onEnd = onEnd
    stream.on('data', this.#take)
    for (const event of ['end', 'close', 'error'] as const) stream.on(event, this.#end)
  }

  /** Undefined: the client has gone. Throws EINVAL, TOO_LARGE. */
  async start(): Promise<Buffer | undefined> {
    const length = await this.#length(startBytesMax)
    return length === undefined ? undefined : this.#read(length)
  }

  /** Undefined: the client has gone. `isKnown`: it has said who it is. */
  async next(isKnown: boolean): Promise<ClientMessage | undefined> {
    const type = await this.#read(1)
    if (!type) return undefined
    const length = await this.#length(isKnown ? messageBytesMax : startBytesMax)
    const body = length === undefined ? undefined : await this.#read(length)
    return body && { type: type.toString('latin1'), body }
  }

  /** Leaves the connection to another reader. Throws EINVAL if bytes have come that would be lost: of a client, or of one between. */
  detach(): void {
    this.#stream.off('data', this.#take)
    for (const event of ['end', 'close', 'error'] as const) this.#stream.off(event, this.#end)
    if (this.#bytes > 0) throw new GristmillError('EINVAL', 'bytes came before the encryption of the connection')
  }

  async #length(bytesMax: number): Promise<number | undefined> {
    const head = await this.#read(4)
    if (!head) return undefined
    const length = head.readInt32BE(0) - 4
    if (length < 0) throw new GristmillError('EINVAL',
      'a message has a length below its own head: this port speaks the protocol of PostgreSQL')
    if (length > bytesMax) throw new GristmillError('TOO_LARGE', `a message has ${length} bytes, and may have ${bytesMax}`)
    return length
  }

  async #read(bytes: number): Promise<Buffer | undefined> {
    while (this.#bytes < bytes) {
      if (this.#ended) return undefined
      this.#stream.resume()
      await new Promise<void>(resolve => { this.#wake = resolve })
    }
    const all = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces)
    this.#pieces = all.length > bytes ? [all.subarray(bytes)] : []
    this.#bytes -= bytes
    return all.subarray(0, bytes)
  }

  readonly #take = (piece: Buffer): void => {
    this.#pieces.push(piece)
    this.#bytes += piece.length
    if (this.#bytes > aheadBytes) this.#stream.pause()
    this.#wakeUp()
  }

  readonly #end = (): void => {
    if (this.#ended) return
    this.#ended = true
    this.#wakeUp()
    this.#onEnd()
  }

  #wakeUp(): void {
    this.#wake?.()
    this.#wake = undefined
  }
}

const chunkBytes = 64 * KiB

export class MessageWriter {
  readonly #stream: Duplex
  #parts: Buffer[] = []
  #bytes = 0

  constructor(stream: Duplex) { this.#stream = stream }

  /** Adds a message. */
  add(type: string, ...fields: readonly Buffer[]): void {
    const bytes = fields.reduce((sum, field) => sum + field.length, 0)
    const head = Buffer.allocUnsafe(5)
    head.write(type, 'latin1')
    head.writeInt32BE(bytes + 4, 1)
    this.#parts.push(head, ...fields)
    this.#bytes += bytes + 5
  }

  /** One byte that is no message: the answer to a request for encryption. */
  raw(byte: string): Promise<void> {
    this.#parts.push(Buffer.from(byte, 'latin1'))
    return this.flush()
  }

  get isFull(): boolean { return this.#bytes >= chunkBytes }

  /** Sends what was added; resolves when the connection takes more. */
  async flush(): Promise<void> {
    if (this.#parts.length === 0) return
    const bytes = Buffer.concat(this.#parts)
    this.#parts = []
    this.#bytes = 0
    if (this.#stream.destroyed) throw gone()
    if (this.#stream.write(bytes)) return
    await new Promise<void>((resolve, reject) => {
      const settle = (isGone: boolean) => (): void => {
        this.#stream.off('drain', drained).off('close', closed)
        if (isGone) reject(gone())
        else resolve()
      }
      const [drained, closed] = [settle(false), settle(true)]
      this.#stream.on('drain', drained).on('close', closed)
    })
  }
}

const gone = (): GristmillError => new GristmillError('ABORTED', 'the client has gone')

export const int16 = (value: number): Buffer => { const bytes = Buffer.allocUnsafe(2); bytes.writeInt16BE(value); return bytes }
export const int32 = (value: number): Buffer => { const bytes = Buffer.allocUnsafe(4); bytes.writeInt32BE(value); return bytes }
/** A text that ends with a zero. */
export const cstring = (text: string): Buffer => Buffer.from(`${text.replaceAll('\0', ' ')}\0`)

/** Fields of a message of a client. Throws EINVAL for a message that is too short. */
export class Fields {
  readonly #body: Buffer
  #at = 0

  constructor(body: Buffer) { this.#body = body }

  get isAtEnd(): boolean { return this.#at >= this.#body.length }

  int16(): number { return this.#take(2).readInt16BE(0) }
  int32(): number { return this.#take(4).readInt32BE(0) }

  text(): string {
    const end = this.#body.indexOf(0, this.#at)
    if (end < 0) throw malformed()
    const text = this.#body.toString('utf8', this.#at, end)
    this.#at = end + 1
    return text
  }

  /** Bytes with their length before them; null for the length -1. */
  bytes(): Buffer | null {
    const length = this.int32()
    return length === -1 ? null : this.#take(length)
  }

  rest(): Buffer { return this.#take(this.#body.length - this.#at) }

  /** As many values as the next number says, which is not negative. */
  list<T>(read: () => T): T[] {
    const count = this.int16() & 0xffff
    return Array.from({ length: count }, read)
  }

  #take(bytes: number): Buffer {
    if (bytes < 0 || this.#at + bytes > this.#body.length) throw malformed()
    this.#at += bytes
    return this.#body.subarray(this.#at - bytes, this.#at)
  }
}

const malformed = (): GristmillError => new GristmillError('EINVAL', 'a message of the client is too short for its fields')
