// Numbers of JSON that the engine would read as other ones: it keeps whole numbers of any length, and takes a fraction or a number with an
// exponent for a DOUBLE before a query sees its text. One of more digits than a DOUBLE holds is an error, found in the bytes of the file.

import { GristmillError } from '../base/errors.ts'
import { MiB } from '../base/units.ts'
import { withoutEnd } from '../base/withoutend.ts'

/** The engine refuses an object in a longer line. */
const lineBytesMax = 32 * MiB

/** Every DOUBLE holds a number of fewer digits. */
const digitsLeast = 16

/** Looks at the text of a part of a file, piece by piece. Throws EINVAL for such a number. */
export class JsonNumbers {
  readonly #place: string
  readonly #isFirst: boolean
  /** Line ends before the bytes that are looked at next. */
  #lines = 0
  /** The beginning of a line whose end has not come. */
  #rest: Buffer[] = []
  #restBytes = 0

  /** `place`: names the part in errors; `isFirst`: it is the beginning of the file. */
  constructor(place: string, { isFirst }: { readonly isFirst: boolean }) {
    this.#place = place
    this.#isFirst = isFirst
  }

  /** The bytes are not changed afterwards. */
  add(bytes: Buffer): void {
    const end = bytes.lastIndexOf(lineFeed) + 1
    if (end > 0) {
      this.#look(Buffer.concat([...this.#rest, bytes.subarray(0, end)]))
      this.#rest = []
      this.#restBytes = 0
    }
    if (end === bytes.length || this.#restBytes > lineBytesMax) return
    this.#rest.push(bytes.subarray(end))
    this.#restBytes += bytes.length - end
  }

  end(): void { this.#look(Buffer.concat(this.#rest)) }

  #look(bytes: Buffer): void {
    const strings = new Strings(bytes)
    let lines = 0
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at]!
      if (byte === lineFeed) lines++
      if (!isDigit(byte)) continue
      const start = at
      let [digits, hasExponent, isFraction] = [0, false, false]
      for (; at < bytes.length; at++) {
        const next = bytes[at]!
        if (isDigit(next)) digits++
        else if (next === point) isFraction = true
        else if ((next | 0x20) === letterE) hasExponent = true
        else if (!hasExponent || (next !== minus && next !== plus)) break
      }
      // An exponent has few digits, and makes the least numbers 0.
      if (hasExponent || (isFraction && digits >= digitsLeast)) {
        // Asked first, because it is cheap: each byte is looked at once, and texts are longer than numbers.
        if (!strings.has(start)) {
          const text = bytes.toString('latin1', start, at)
          if (number.test(text) && isBent(text)) throw this.#fault(text, this.#lines + lines + 1)
        }
      }
      // The byte behind the number.
      at--
    }
    this.#lines += lines
  }

  #fault(text: string, line: number): GristmillError {
    return new GristmillError(
      'EINVAL', `the number ${shown(text)} has more digits than SQL keeps of a fraction in JSON; write it as a text: "${shown(text)}" `
      + `(in ${this.#place}, line ${line}${this.#isFirst ? '' : ' from there'})`,
    )
  }
}

/** Characters of a number that an error shows. */
const shownMax = 100
const shown = (text: string): string => (text.length > shownMax ? `${text.slice(0, shownMax)}…` : text)

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39
const [lineFeed, quote, plus, minus, point, backslash, letterE] = [0x0a, 0x22, 0x2b, 0x2d, 0x2e, 0x5c, 0x65]

/** Strings in lines of JSON, which have no line ends in them. Asked for places in their order; each byte is looked at once. */
class Strings {
  readonly #bytes: Buffer
  #at = 0
  #isIn = false

  constructor(bytes: Buffer) { this.#bytes = bytes }

  /** True if the byte at `index` is in a string. */
  has(index: number): boolean {
    for (; this.#at < index; this.#at++) {
      const byte = this.#bytes[this.#at]
      if (byte === lineFeed) this.#isIn = false
      else if (byte === quote) this.#isIn = !this.#isIn
      else if (byte === backslash && this.#isIn) this.#at++
    }
    return this.#isIn
  }
}

const number = /^\d+(?:\.\d+)?(?:[eE][-+]?\d+)?$/

/** Most digits that `toPrecision` gives. */
const precisionMax = 100

/** True for a number that is neither the shortest text of a DOUBLE nor the one that it has with as many digits. */
function isBent(text: string): boolean {
  const value = Number(text)
  const shortest = String(value)
  // The engine keeps the text of a number beyond all of DOUBLE.
  if (shortest === text || !Number.isFinite(value)) return false
  const own = digitsOf(text)
  const ownTrimmed = withoutEnd(own, '0')
  const isSame = (other: string): boolean => withoutEnd(digitsOf(other), '0') === ownTrimmed
  return !isSame(shortest) && !(own.length > 0 && isSame(value.toPrecision(Math.min(own.length, precisionMax))))
}

/** Digits of the text of a number, from the first one that is not 0. */
const digitsOf = (text: string): string => text.replace(/[eE].*$/, '').replace('.', '').replace(/^0+/, '')
