// Decodes the content encoding `aws-chunked`: chunks with their size, each signed or none, and trailing headers behind the last one. Bytes
// are passed on as they come; a signature is checked when its chunk has ended, before the body counts as complete. The pieces that come in
// may be valid only until the next one is asked for, and so are those that are passed on.
// INVARIANT: bytes of the framing never become bytes of the object, and lines are bounded.

import { createHash, type Hash } from 'node:crypto'
import { S3Error } from './errors.ts'
import type { ChunkSigner } from './signature.ts'

/** Longest line of a chunk's head, or of a trailing header. */
const lineBytesMax = 4096
const trailersMax = 10

interface ChunkedOptions {
  /** Checks the signatures of chunks; undefined: they have none. */
  readonly signer: ChunkSigner | undefined
  /** A signature of the trailing headers is required. */
  readonly signedTrailer: boolean
  /** Receives the trailing headers, in lower case. */
  readonly trailers: Map<string, string>
}

const broken = (why: string): S3Error => new S3Error('IncompleteBody', `The body is not in the form aws-chunked: ${why}`)

/** Reads lines and counted bytes from a stream of pieces. */
class Input {
  readonly #pieces: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)

  constructor(pieces: AsyncIterable<Buffer>) { this.#pieces = pieces[Symbol.asyncIterator]() }

  /** Up to `max` bytes. Throws IncompleteBody at the end. */
  async some(max: number): Promise<Buffer> {
    if (this.#rest.length === 0 && !await this.#more()) throw broken('it ends inside of a chunk')
    const found = this.#rest.subarray(0, max)
    this.#rest = this.#rest.subarray(found.length)
    return found
  }

  /** The next line without its end; undefined at the end of the body. */
  async line(): Promise<string | undefined> {
    for (let from = 0; ;) {
      const end = this.#rest.indexOf('\r\n', from)
      if (end >= 0) {
        const line = this.#rest.toString('latin1', 0, end)
        this.#rest = this.#rest.subarray(end + 2)
        return line
      }
      if (this.#rest.length > lineBytesMax) throw broken('a line is too long')
      from = Math.max(0, this.#rest.length - 1)
      const before = this.#rest
      if (!await this.#more()) {
        if (before.length > 0) throw broken('it ends inside of a line')
        return undefined
      }
    }
  }

  async close(): Promise<void> { await this.#pieces.return?.() }

  async #more(): Promise<boolean> {
    // A part of a line.
    const begun = this.#rest.length === 0 ? undefined : Buffer.from(this.#rest)
    for (;;) {
      const { value, done } = await this.#pieces.next()
      if (done) return false
      if (value.length === 0) continue
      this.#rest = begun ? Buffer.concat([begun, value]) : value
      return true
    }
  }
}

/** The bytes of the object. */
export async function* unchunked(pieces: AsyncIterable<Buffer>, options: ChunkedOptions): AsyncGenerator<Buffer, void, undefined> {
  const input = new Input(pieces)
  try {
    for (;;) {
      const head = await input.line()
      if (head === undefined) throw broken('the last chunk is missing')
      const match = /^([0-9a-fA-F]{1,13})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(head)
      if (!match) throw broken('the head of a chunk is malformed')
      const size = Number.parseInt(match[1]!, 16)
      const hash = options.signer && createHash('sha256')
      if (size > 0) yield* chunk(input, size, hash)
      checkChunk(options, hash, match[2])
      if (size === 0) break
    }
    await readTrailers(input, options)
  } finally {
    await input.close()
  }
}

async function* chunk(input: Input, size: number, hash: Hash | undefined): AsyncGenerator<Buffer, void, undefined> {
  for (let left = size; left > 0;) {
    const piece = await input.some(left)
    left -= piece.length
    hash?.update(piece)
    yield piece
  }
  if (await input.line() !== '') throw broken('a chunk is longer than its size')
}

function checkChunk({ signer }: ChunkedOptions, hash: Hash | undefined, signature: string | undefined): void {
  if (!signer || !hash) return
  if (signature === undefined) throw new S3Error('SignatureDoesNotMatch', 'A chunk of the body is not signed.')
  signer.check(hash.digest('hex'), signature)
}

async function readTrailers(input: Input, { signer, signedTrailer, trailers }: ChunkedOptions): Promise<void> {
  const lines: string[] = []
  let signature: string | undefined
  for (let line = await input.line(); line !== undefined; line = await input.line()) {
    if (line === '') continue
    const mark = line.indexOf(':')
    if (mark < 1 || lines.length >= trailersMax) throw broken('the trailing headers are malformed, or too many')
    const [name, value] = [line.slice(0, mark).trim().toLowerCase(), line.slice(mark + 1).trim()]
    if (name === 'x-amz-trailer-signature') {
      signature = value
      continue
    }
    trailers.set(name, value)
    lines.push(`${name}:${value}\n`)
  }
  if (!signedTrailer || !signer) return
  if (signature === undefined) throw new S3Error('SignatureDoesNotMatch', 'The trailing headers of the body are not signed.')
  signer.checkTrailer(lines.join(''), signature)
}
