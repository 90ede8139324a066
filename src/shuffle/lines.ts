// Values as lines of text: a line is the encoding of one value, in base64. The files that a step of a program returns to it have such
// lines, so that the program gets the values that a shuffle would keep. A program holds them in memory, which bounds them.

import { GristmillError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { formatBytes } from '../base/units.ts'
import { GrowingBuffer } from './buffer.ts'
import { decodeValue } from './decode.ts'
import { encodeValue } from './value.ts'

export class LineEncoder {
  readonly #buffer = new GrowingBuffer(256)

  /** Throws EINVAL for a value that cannot travel. */
  encode(value: unknown): string {
    this.#buffer.length = 0
    // An array of one: a value itself may be undefined.
    encodeValue([value], this.#buffer)
    return this.#buffer.bytes.toString('base64', 0, this.#buffer.length)
  }
}

/** Lines of a file. */
export const linesOf = (bytes: Buffer): string[] => bytes.toString('latin1').split('\n').filter(line => line !== '')

/** Bytes of the line that is being decoded: a value has copies of its own. A buffer for each line would take longer than the decoding. */
const shared = Buffer.alloc(4096)

/** Throws CORRUPT. */
export function valueOfLine(line: string): unknown {
  const bytes = line.length <= shared.length ? shared : Buffer.alloc(line.length)
  const value = decodeValue(bytes, 0, bytes.write(line, 'base64'))
  if (Array.isArray(value) && value.length === 1) return value[0] as unknown
  throw new GristmillError('CORRUPT', `a line of a result holds no value: ${line.slice(0, 40)}`)
}

/** Throws CORRUPT. */
export const valuesOfLines = (lines: readonly string[]): unknown[] => lines.map(valueOfLine)

/** Size of a result, with a newline for each value. */
interface ResultSize { readonly values: number; readonly bytes: number }

export const isTooMuch = ({ values, bytes }: ResultSize): boolean => values > limits.resultValuesMax || bytes > limits.resultBytesMax

/** Why a result is not returned, and what to do. */
export const tooMuch = ({ values, bytes }: ResultSize): string =>
  `${values} values of ${formatBytes(bytes)} to return, and a program gets at most ${limits.resultValuesMax} of ` +
  `${formatBytes(limits.resultBytesMax)}; save them (.save(path)) and read them in a later step, or return less: take(n), count(), reduce(fn)`
