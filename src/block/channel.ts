// Frames over a wire. A channel reads and writes one frame at a time and keeps no memory of its own for payloads: DATA goes
// into buffers that the caller brings. After any error the wire is of no use to anybody and is dropped.

import { GristmillError } from '../base/errors.ts'
import type { Wire } from '../ports/net.ts'
import { checkTable, decodeJson, encodeJson, frameHeaderBytes, frameTypes, readHeader, type FrameBuffer, type FrameType } from './frame.ts'

/** What came. DATA lies in the buffer that was given; its payload is not checked yet (FrameBuffer.damagedChunk). */
export type Received =
  | { readonly kind: 'data' }
  | { readonly kind: 'request' | 'reply' | 'end'; readonly value: unknown }

const data: Received = Object.freeze({ kind: 'data' })
const kinds: Readonly<Record<Exclude<FrameType, 3>, 'request' | 'reply' | 'end'>> = { 1: 'request', 2: 'reply', 4: 'end' }

export class Channel {
  readonly wire: Wire
  readonly #header = Buffer.allocUnsafeSlow(frameHeaderBytes)

  constructor(wire: Wire) { this.wire = wire }

  /**
   * The next frame; undefined when the other side ended in good order. DATA where no buffer is given is an error.
   * REQUIRES: one at a time.
   */
  async receive(into?: FrameBuffer): Promise<Received | undefined> {
    try {
      if (!await this.wire.read(this.#header)) return undefined
      const header = readHeader(this.#header)
      if (header.type === frameTypes.data) {
        if (!into) throw new GristmillError('CORRUPT', `${this.wire.remote} sent data where an answer was due`)
        if (!await this.wire.read(into.expect(this.#header, header))) throw short(this.wire)
        into.checkTable()
        return data
      }
      const rest = Buffer.allocUnsafe(header.tableBytes + header.payloadBytes)
      if (rest.length > 0 && !await this.wire.read(rest)) throw short(this.wire)
      const table = rest.subarray(0, header.tableBytes)
      checkTable(this.#header, table)
      return { kind: kinds[header.type as 1 | 2 | 4], value: decodeJson(table, rest.subarray(header.tableBytes)) }
    } catch (error) {
      this.wire.destroy(error as Error)
      throw error
    }
  }

  /** Sends a sealed frame; the buffer may be used again when the promise settles. */
  send(frame: FrameBuffer): Promise<void> { return this.wire.write(frame.frame) }

  request(value: unknown): Promise<void> { return this.wire.write(encodeJson(1, value)) }
  reply(value: unknown): Promise<void> { return this.wire.write(encodeJson(2, value)) }
  end(value: unknown): Promise<void> { return this.wire.write(encodeJson(4, value)) }
}

const short = (wire: Wire): GristmillError => new GristmillError('UNAVAILABLE', `the connection to ${wire.remote} ended inside a frame`)
