// The whole body of a small request.

import { GristmillError } from '../../src/base/errors.ts'
import type { Exchange } from './exchange.ts'

/** Throws TOO_LARGE for a body of more bytes; what was read until then is all that is held. */
export async function wholeBody(exchange: Pick<Exchange, 'body'>, bytesMax: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of exchange.body()) {
    bytes += piece.length
    if (bytes > bytesMax) throw new GristmillError('TOO_LARGE', `the request has more than ${bytesMax} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}
