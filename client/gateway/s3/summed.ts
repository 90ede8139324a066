// Bytes on their way from one object to another, with the sums that describe the new one.

import { createHash } from 'node:crypto'
import { newChecksum, type ChecksumKind } from './checksum.ts'
import { withChecksum, withEtag, type StoredChecksum } from './attributes.ts'
import type { ObjectAttributes } from '../../files/objects.ts'
import type { BodyChunks } from '../exchange.ts'

/** Computes MD5 and a checksum of bytes that pass. REQUIRES: the sums are asked for once, after the last byte. */
export class Summed {
  readonly #chunks: AsyncIterable<Buffer>
  readonly #kind: ChecksumKind | undefined
  #length = 0
  #sums: { readonly etag: string; readonly checksum: StoredChecksum | undefined } | undefined

  /** `kind`: of the checksum; undefined: none. */
  constructor(chunks: BodyChunks, kind: ChecksumKind | undefined) {
    this.#chunks = chunks as AsyncIterable<Buffer>
    this.#kind = kind
  }

  async *bytes(): AsyncGenerator<Buffer, void, undefined> {
    const md5 = createHash('md5')
    const sum = this.#kind && newChecksum(this.#kind)
    for await (const piece of this.#chunks) {
      md5.update(piece)
      sum?.update(piece)
      this.#length += piece.length
      yield piece
    }
    const checksum: StoredChecksum | undefined = sum && this.#kind && { kind: this.#kind, value: sum.digest(), type: 'FULL_OBJECT' }
    this.#sums = { etag: md5.digest('hex'), checksum }
  }

  get etag(): string { return this.#sums!.etag }

  get sum(): StoredChecksum | undefined { return this.#sums!.checksum }

  get attributes(): ObjectAttributes { return { ...withEtag(this.etag, this.#length), ...withChecksum(this.#sums!.checksum) } }

  /** Elements of an answer about the copy. */
  get elements(): { readonly [name: string]: string } {
    const { etag, checksum } = this.#sums!
    return { ETag: `"${etag}"`, ...checksum && { [`Checksum${checksum.kind}`]: checksum.value } }
  }
}
