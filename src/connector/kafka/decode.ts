// JSON of a key or a value: `json` takes JSON as it is, `text` a text in UTF-8, `bytes` gives base64, `avro` asks a schema registry for the
// schema that the message names. The frame of a registry is a byte 0 and the number of the schema in four bytes; JSON may be in such a
// frame too.

import { GristmillError } from '../../base/errors.ts'
import type { MessageFormat } from './address.ts'

/** The text is JSON without line ends. Throws EINVAL with the reason alone, for the caller to name the message. */
export type Decode = (bytes: Uint8Array) => string | Promise<string>

/** Gives values of Avro, without the frame, for the number of a schema. */
export type DecodeAvro = (schema: number, bytes: Uint8Array) => Promise<string>

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const frameBytes = 5

export const misfit = (reason: string): GristmillError => new GristmillError('EINVAL', reason)

export function textIn(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

/** `avro`: REQUIRES: given for this format. */
export function decoderOf(format: MessageFormat, avro: DecodeAvro | undefined): Decode {
  switch (format) {
    case 'json': return jsonOf
    case 'text': return textOf
    case 'bytes': return bytes => JSON.stringify(Buffer.from(bytes).toString('base64'))
    case 'avro': return bytes => {
      if (bytes[0] !== 0 || bytes.length < frameBytes)
        throw misfit('it is not Avro with the number of a schema: it does not begin with the byte 0 and four more')
      return avro!(Buffer.from(bytes).readUInt32BE(1), bytes.subarray(frameBytes))
    }
  }
}

function jsonOf(bytes: Uint8Array): string {
  const text = textIn(bytes[0] === 0 && bytes.length > frameBytes ? bytes.subarray(frameBytes) : bytes)
  if (text === undefined) throw misfit('it is not JSON: its bytes are not UTF-8')
  try {
    JSON.parse(text)
  } catch {
    throw misfit('it is not JSON')
  }
  // Kept as it is, with all digits of its numbers. A line end stands between two tokens: in a text it would be escaped.
  return /[\n\r]/.test(text) ? text.replaceAll(/[\n\r]/g, ' ').trim() : text
}

function textOf(bytes: Uint8Array): string {
  const text = textIn(bytes)
  if (text === undefined) throw misfit('it is not a text in UTF-8')
  return JSON.stringify(text)
}
