// Source: one object of S3, or all objects below a prefix that ends in a slash (or is empty). Each is pinned by its ETag, and read in
// ranges under `If-Match`.

import { GristmillError } from '../../base/errors.ts'
import { again, textOf } from '../ask.ts'
import { sumsOf } from '../checksum.ts'
import { isResumable, splitFile, type FilePin, type OutsideFiles, type FileSplit } from '../connector.ts'
import { checkRange, checkSame, conditionOf, counted } from '../http/http.ts'
import type { S3Client } from './client.ts'
import { elementsOf, firstText } from './xml.ts'

export class S3Objects implements OutsideFiles {
  readonly shown: string
  readonly #client: S3Client
  readonly #key: string

  constructor(client: S3Client, key: string) {
    this.#client = client
    this.#key = key
    this.shown = client.shown(key)
  }

  async * pin(signal?: AbortSignal): AsyncGenerator<FilePin> {
    if (this.#key === '' || this.#key.endsWith('/')) return yield* this.#list(signal)
    yield await again(this.#client.deps, async () => {
      const reply = await this.#client.send({ method: 'HEAD', key: this.#key, headers: { 'x-amz-checksum-mode': 'ENABLED' }, signal })
      if (reply.status !== 200) throw await this.#client.refused(reply, this.#key)
      await reply.discard()
      const { etag, 'content-length': length } = reply.headers
      if (etag === undefined || length === undefined)
        throw new GristmillError('EINVAL', `${this.shown}: the service tells no ETag or no length, without which an object cannot be pinned`)
      return {
        name: this.#key.split('/').at(-1)!, url: this.shown, bytes: Number(length), etag, ranges: true, sums: sumsOf(reply.headers),
      }
    }, signal)
  }

  split(pin: FilePin, sizeMax: number): readonly FileSplit[] { return splitFile(pin, sizeMax) }

  resumes(pin: FilePin): boolean { return isResumable(pin) }

  async * read({ pin, start, end = pin.bytes! }: FileSplit, from: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const first = start + from
    if (first >= end) return
    const key = this.#key === '' || this.#key.endsWith('/') ? `${this.#key}${pin.name}` : this.#key
    const shown = this.#client.shown(key)
    const isWhole = first === 0 && end === pin.bytes
    const range = isWhole ? {} : { range: `bytes=${first}-${end - 1}` }
    const reply = await this.#client.send({ method: 'GET', key, headers: { ...range, ...conditionOf(pin) }, signal })
    if (reply.status !== (isWhole ? 200 : 206)) {
      if (reply.status !== 200) throw await this.#client.refused(reply, key)
      await reply.discard()
      throw new GristmillError('EINVAL', `${shown}: the service has sent the whole object where it was asked for a part`)
    }
    try {
      checkSame(pin, reply, shown)
      if (!isWhole) checkRange(reply, first, pin, shown)
    } catch (error) {
      await reply.discard()
      throw error
    }
    yield* counted(reply.body, end - first, shown)
  }

  /** Objects below the prefix, in the order of their keys. Keys that end in a slash stand for directories, and have no content to read. */
  async * #list(signal?: AbortSignal): AsyncGenerator<FilePin> {
    for (let token: string | undefined; ;) {
      const query = {
        'list-type': '2', prefix: this.#key, 'encoding-type': 'url', ...token !== undefined && { 'continuation-token': token },
      }
      const page = await again(this.#client.deps, async () => {
        const reply = await this.#client.send({ method: 'GET', key: '', query, signal })
        if (reply.status !== 200) throw await this.#client.refused(reply, '')
        return textOf(reply)
      }, signal)
      for (const entry of elementsOf(page, 'Contents')) {
        const pin = this.#pinOf(entry)
        if (pin) yield pin
      }
      if (firstText(page, 'IsTruncated') !== 'true') return
      token = firstText(page, 'NextContinuationToken')
      if (token === undefined) throw new GristmillError('EINVAL', `${this.shown}: the service has broken off its list of objects`)
    }
  }

  #pinOf(entry: string): FilePin | undefined {
    const written = firstText(entry, 'Key') ?? ''
    let key: string
    try {
      key = decodeURIComponent(written.replaceAll('+', ' '))
    } catch {
      throw new GristmillError('EINVAL', `${this.shown}: the service lists a key that cannot be decoded: ${JSON.stringify(written.slice(0, 100))}`)
    }
    if (key.endsWith('/')) return undefined
    const etag = firstText(entry, 'ETag')
    const bytes = Number(firstText(entry, 'Size'))
    if (!key.startsWith(this.#key) || etag === undefined || !Number.isSafeInteger(bytes))
      throw new GristmillError('EINVAL', `${this.#client.shown(key)}: the service lists it without an ETag or a size`)
    return { name: key.slice(this.#key.length), url: this.#client.shown(key), bytes, etag, ranges: true, sums: [] }
  }
}
