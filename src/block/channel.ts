// Channel: reads and writes frames on a wire, one at a time. Holds no payload memory of its own: DATA is read into the caller's
// buffers. After any error the wire is unusable and is destroyed.

import { GristmillError } from '../base/errors.ts'
import type { Wire } from '../ports/net.ts'
import { checkTable, decodeJson, encodeJson, frameHeaderBytes, frameTypes, readHeader, type FrameBuffer, type FrameType } from './frame.ts'

/** A received frame. DATA is in the buffer that was passed; its payload is not verified yet (FrameBuffer.damagedChunk). */
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
   * The next frame; undefined when the peer ended cleanly. DATA without a buffer to read into is an error. REQUIRES: one call at a
   * time.
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

  /** Sends a sealed frame; the buffer may be reused once the promise settles. */
  send(frame: FrameBuffer): Promise<void> { return this.wire.write(frame.frame) }

  request(value: unknown): Promise<void> { return this.wire.write(encodeJson(1, value)) }
  reply(value: unknown): Promise<void> { return this.wire.write(encodeJson(2, value)) }
  end(value: unknown): Promise<void> { return this.wire.write(encodeJson(4, value)) }
}

const short = (wire: Wire): GristmillError => new GristmillError('UNAVAILABLE', `the connection to ${wire.remote} ended inside a frame`)
