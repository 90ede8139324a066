// COPY … TO STDOUT on a connection of the package pg: reads the messages of the server from its socket, and hands each row to its target
// where it lies. The package makes an object of each message, which takes longer than all the rest. What is no row, and all that comes
// behind the last one, goes to the package: it ends the statement, and tells errors.
// INVARIANT: about `aheadBytesMax` are made ahead of the caller, and what one read of the socket brings.

import { MiB } from '../base/units.ts'
import type { CopyTarget } from '../ports/postgres.ts'

/** The part of a connection of `pg` that is used here. */
interface Connection {
  readonly stream: Socket
  query(text: string): void
}

interface Socket {
  listeners(event: 'data'): unknown[]
  on(event: 'data', listener: (bytes: Buffer) => void): void
  removeListener(event: 'data', listener: (bytes: Buffer) => void): void
  pause(): void
  resume(): void
  destroy(): void
}

/** Types of messages. */
const [copyData, copyDone, errorResponse] = [0x64, 0x63, 0x45]
/** The package takes over. */
const isEnd = (type: number): boolean => type === copyDone || type === errorResponse
/** Type, and the length of the rest with its own four bytes. */
const headBytes = 5
const aheadBytesMax = 1 * MiB

export class CopyOut {
  readonly #sql: string
  readonly #target: CopyTarget
  readonly #pieces: Uint8Array[] = []
  #stream: Socket | undefined
  #packageListener: ((bytes: Buffer) => void) | undefined
  /** Bytes of a message that is not there as a whole, and how many it has; 0: that is not known. */
  #begun: Buffer[] = []
  #begunBytes = 0
  #wantedBytes = 0
  /** Bytes of `#pieces`. */
  #bytes = 0
  #isPaused = false
  #failure: { readonly error: unknown } | undefined
  #isDone = false
  #wake = (): void => {}

  constructor(sql: string, target: CopyTarget) {
    this.#sql = sql
    this.#target = target
  }

  /** Ends when the server takes the next statement. */
  async * [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const piece = this.#pieces.shift()
      if (piece) {
        this.#bytes -= piece.length
        if (this.#isPaused && this.#bytes < aheadBytesMax / 2) {
          this.#isPaused = false
          this.#stream!.resume()
        }
        yield piece
      } else if (this.#failure) throw this.#failure.error
      else if (this.#isDone) return
      else await new Promise<void>(resolve => { this.#wake = resolve })
    }
  }

  /** Called by the package, as the next three. */
  submit(connection: Connection): void {
    const { stream } = connection
    this.#stream = stream
    const [listener] = stream.listeners('data')
    this.#packageListener = listener as (bytes: Buffer) => void
    stream.removeListener('data', this.#packageListener)
    stream.on('data', this.#onData)
    connection.query(this.#sql)
  }

  handleError(error: unknown): void {
    this.#failure ??= { error }
    this.#release()
    this.#wake()
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.#isDone = true
    this.#wake()
  }

  readonly #onData = (bytes: Buffer): void => {
    try {
      this.#read(bytes)
    } catch (error) {
      this.#failure = { error }
      this.#release()
      // The rest of the rows is still to come: no other statement can be sent.
      this.#stream!.destroy()
    }
    this.#wake()
  }

  #read(bytes: Buffer): void {
    let at = this.#complete(bytes)
    while (at + headBytes <= bytes.length && !isEnd(bytes[at]!)) {
      const end = at + 1 + bytes.readUInt32BE(at + 1)
      if (end > bytes.length) break
      if (bytes[at] === copyData) this.#target.put(bytes, at + headBytes, end)
      at = end
    }
    this.#collect()
    if (at < bytes.length && isEnd(bytes[at]!)) return this.#handOver(bytes.subarray(at))
    if (at < bytes.length) this.#begin(bytes.subarray(at))
    if (this.#bytes < aheadBytesMax || this.#isPaused) return
    this.#isPaused = true
    this.#stream!.pause()
  }

  /** Ends the message that has begun before, if it is there as a whole now. Returns how many bytes belong to it. */
  #complete(bytes: Buffer): number {
    if (this.#begunBytes === 0) return 0
    let at = 0
    const take = (count: number): void => {
      const part = bytes.subarray(at, at + count)
      this.#begun.push(part)
      this.#begunBytes += part.length
      at += part.length
    }
    if (this.#wantedBytes === 0) {
      take(headBytes - this.#begunBytes)
      if (this.#begunBytes < headBytes) return at
      this.#begun = [Buffer.concat(this.#begun)]
      this.#wantedBytes = 1 + this.#begun[0]!.readUInt32BE(1)
    }
    take(this.#wantedBytes - this.#begunBytes)
    if (this.#begunBytes < this.#wantedBytes) return at
    const message = Buffer.concat(this.#begun)
    this.#begun = []
    this.#begunBytes = 0
    if (message[0] === copyData) this.#target.put(message, headBytes, message.length)
    return at
  }

  /** A message longer than a read is put together once, when its last byte is there. */
  #begin(bytes: Buffer): void {
    this.#begun = [bytes]
    this.#begunBytes = bytes.length
    this.#wantedBytes = bytes.length < headBytes ? 0 : 1 + bytes.readUInt32BE(1)
  }

  #collect(): void {
    for (const piece of this.#target.take()) {
      this.#pieces.push(piece)
      this.#bytes += piece.length
    }
  }

  /** Gives the connection, and these bytes of it, back to the package. */
  #handOver(bytes: Buffer): void {
    const listener = this.#packageListener!
    this.#release()
    listener(bytes)
  }

  #release(): void {
    const [stream, listener] = [this.#stream, this.#packageListener]
    if (!stream || !listener) return
    this.#packageListener = undefined
    stream.removeListener('data', this.#onData)
    stream.on('data', listener)
    this.#isPaused = false
    stream.resume()
  }
}
