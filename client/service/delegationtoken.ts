// Delegation tokens as Hadoop writes them, so that its programs can keep them, read them and send them again: base64url of identifier,
// password, kind and service, each with its length in front. The identifier has the owner, the renewer and the times in Hadoop's variable
// integers. Pure.

import { createHash } from 'node:crypto'
import { GristmillError } from '../../src/base/errors.ts'
import type { ShownToken } from '../../src/protocol/token.ts'

/** The password is what HMAC-SHA1 gives in HDFS: 20 bytes. Here they are random. */
export const tokenSecretBytes = 20

export interface TokenLabels {
  /** `WEBHDFS delegation`: by it a client finds the token of a connection. */
  readonly kind: string
  /** Address of the server that takes the token. */
  readonly service: string
}

type TokenIdentifier = Omit<ShownToken, 'digest'>

const identifierVersion = 0
/** HDFS signs tokens with keys that roll; here each token has a secret of its own. */
const masterKey = 0

export const tokenDigest = (secret: Uint8Array): string => createHash('sha256').update(secret).digest('base64url')

export function encodeToken(
  { owner, renewer, realUser, issuedMs, maxMs, number }: TokenIdentifier, secret: Uint8Array, { kind, service }: TokenLabels,
): string {
  const identifier = Buffer.concat([
    Buffer.of(identifierVersion), text(owner), text(renewer), text(realUser), integer(issuedMs), integer(maxMs), integer(number),
    integer(masterKey),
  ])
  return Buffer.concat([bytes(identifier), bytes(secret), text(kind), text(service)]).toString('base64url')
}

/** Throws EINVAL for a text that is no token of this cluster's form. */
export function decodeToken(given: string): ShownToken {
  try {
    if (given.length > tokenCharsMax || !/^[A-Za-z0-9_-]+={0,2}$/.test(given)) throw new RangeError('it is not base64url')
    const whole = new Cursor(Buffer.from(given, 'base64url'))
    const identifier = new Cursor(whole.bytes())
    const secret = whole.bytes()
    whole.text()
    whole.text()
    whole.end()
    if (identifier.byte() !== identifierVersion) throw new RangeError('its identifier is of another version')
    const [owner, renewer, realUser] = [identifier.text(), identifier.text(), identifier.text()] as const
    const [issuedMs, maxMs, number] = [identifier.integer(), identifier.integer(), identifier.integer()] as const
    if (identifier.integer() !== masterKey || number < 0 || owner === '') throw new RangeError('this cluster has not issued it')
    identifier.end()
    return { owner, renewer, realUser, issuedMs, maxMs, number, digest: tokenDigest(secret) }
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error
    throw new GristmillError('EINVAL', `the delegation token cannot be read: ${error.message}`, { cause: error })
  }
}

/** Three names of 255 bytes, kind and service take less. */
const tokenCharsMax = 4096

/** Hadoop's `WritableUtils.writeVLong`: one byte for -112 to 127, else a byte that tells sign and length, and the bytes, highest first. */
function integer(value: number): Buffer {
  if (value >= -112 && value <= 127) return Buffer.of(value & 0xff)
  let rest = BigInt(value < 0 ? -1 - value : value)
  const digits: number[] = []
  for (; rest > 0n; rest >>= 8n) digits.unshift(Number(rest & 0xffn))
  return Buffer.of((value < 0 ? -120 : -112) - digits.length & 0xff, ...digits)
}

const bytes = (given: Uint8Array): Buffer => Buffer.concat([integer(given.length), given])
const text = (given: string): Buffer => bytes(Buffer.from(given))

const utf8 = new TextDecoder('utf-8', { fatal: true })

class Cursor {
  readonly #bytes: Buffer
  #at = 0

  constructor(given: Buffer) { this.#bytes = given }

  byte(): number { return this.#bytes.readUInt8(this.#take(1)) }

  integer(): number {
    const first = this.#bytes.readInt8(this.#take(1))
    if (first >= -112) return first
    const negative = first < -120
    const length = negative ? -(first + 120) : -(first + 112)
    const start = this.#take(length)
    const value = Number(BigInt(`0x${this.#bytes.toString('hex', start, start + length)}`))
    if (!Number.isSafeInteger(value)) throw new RangeError('a number in it is too large')
    return negative ? -1 - value : value
  }

  bytes(): Buffer {
    const length = this.integer()
    if (length < 0) throw new RangeError('a length in it is negative')
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  text(): string { return utf8.decode(this.bytes()) }

  end(): void { if (this.#at !== this.#bytes.length) throw new RangeError('it has bytes too many') }

  #take(count: number): number {
    const at = this.#at
    if (at + count > this.#bytes.length) throw new RangeError('it is cut off')
    this.#at += count
    return at
  }
}
