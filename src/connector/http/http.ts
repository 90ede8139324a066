// Source: one file of a web server. The file is pinned by its ETag; each range is asked for under that condition, and compared with it
// again in the reply, because some servers ignore conditions. A file without a strong ETag is read by one request, from its beginning to
// its end: two ranges of it may be of different contents that no header tells apart.

import { shownUrl } from '../../base/url.ts'
import { GristmillError } from '../../base/errors.ts'
import type { HttpReply, HttpRequest } from '../../ports/httpfetch.ts'
import { again, ask, refusal, type AskDeps } from '../ask.ts'
import { sumsOf } from '../checksum.ts'
import { isResumable, splitFile, type FilePin, type OutsideFiles, type FileSplit } from '../connector.ts'
import { nameOfUrl } from '../location.ts'

const redirectsMax = 10

/** Where a file is, once redirects have been followed, and what a request must carry there. */
interface Place { readonly url: string; readonly authorization?: string }

export class HttpFile implements OutsideFiles {
  readonly shown: string
  readonly #deps: AskDeps
  readonly #place: Place

  constructor(deps: AskDeps, url: string) {
    this.#deps = deps
    this.#place = placeOf(url)
    this.shown = shownUrl(url)
  }

  async * pin(signal?: AbortSignal): AsyncGenerator<FilePin> {
    yield await again(this.#deps, async () => {
      const head = await this.#ask('HEAD', {}, signal)
      await head.discard()
      if (head.status === 200) return this.#pinOf(head, head.headers['content-length'], head.headers['accept-ranges'] === 'bytes')
      // Some servers, and addresses that are signed for one method, answer GET only.
      const first = await this.#ask('GET', { range: 'bytes=0-0' }, signal)
      if (first.status === 206) {
        await first.discard()
        return this.#pinOf(first, /\/(\d+)$/.exec(first.headers['content-range'] ?? '')?.[1], true)
      }
      // The range of an empty file.
      if (first.status === 416 && first.headers['content-range'] === 'bytes */0') {
        await first.discard()
        return this.#pinOf(first, '0', true)
      }
      if (first.status !== 200) throw await refusal(first, this.shown)
      await first.discard()
      return this.#pinOf(first, first.headers['content-length'], false)
    }, signal)
  }

  split(pin: FilePin, sizeMax: number): readonly FileSplit[] { return splitFile(pin, sizeMax) }

  resumes(pin: FilePin): boolean { return isResumable(pin) }

  async * read({ pin, start, end }: FileSplit, from: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const first = start + from
    if (end !== undefined && first >= end || pin.bytes !== undefined && first >= pin.bytes) return
    const isWhole = first === 0 && (end === undefined || end === pin.bytes)
    const reply = await this.#ask('GET', {
      ...!isWhole && { range: `bytes=${first}-${end === undefined ? '' : end - 1}` }, ...conditionOf(pin),
    }, signal)
    if (reply.status !== (isWhole ? 200 : 206)) {
      if (reply.status !== 200) throw await refusal(reply, this.shown)
      await reply.discard()
      throw new GristmillError('ESTALE', `${this.shown}: the server has sent the whole file where it was asked for a part; begin again`)
    }
    try {
      checkSame(pin, reply, this.shown)
      if (!isWhole) checkRange(reply, first, pin, this.shown)
    } catch (error) {
      await reply.discard()
      throw error
    }
    yield* counted(reply.body, (end ?? pin.bytes ?? Number.NaN) - first, this.shown)
  }

  /** Follows redirects. Credentials go to the server that the user has named, and to no other. */
  async #ask(method: HttpRequest['method'], headers: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<HttpReply> {
    let { url, authorization } = this.#place
    for (let redirects = 0; ; redirects++) {
      const reply = await ask(this.#deps, { method, url, headers: { ...headers, ...authorization && { authorization } }, signal })
      const to = reply.headers['location']
      if (![301, 302, 303, 307, 308].includes(reply.status) || to === undefined) return reply
      await reply.discard()
      if (redirects === redirectsMax || !URL.canParse(to, url))
        throw new GristmillError('EINVAL', `${this.shown}: the server redirects to no place that can be read`)
      const next = placeOf(new URL(to, url).href)
      if (!/^https?:/.test(next.url)) throw new GristmillError('EINVAL', `${this.shown}: the server redirects to ${shownUrl(next.url)}`)
      if (url.startsWith('https:') && next.url.startsWith('http:'))
        throw new GristmillError('EINVAL', `${this.shown}: the server redirects from https to ${shownUrl(next.url)}, where others could change the bytes`)
      if (new URL(next.url).origin !== new URL(url).origin) authorization = next.authorization
      url = next.url
    }
  }

  #pinOf({ headers }: HttpReply, length: string | undefined, ranges: boolean): FilePin {
    const encoding = headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity')
      throw new GristmillError('EINVAL', `${this.shown}: the server sends the file in the encoding ${encoding} only; ask its operator for one without`)
    const { etag, 'last-modified': modified } = headers
    return {
      name: nameOfUrl(this.#place.url) ?? '', url: this.shown, ranges, sums: sumsOf(headers),
      ...length !== undefined && /^\d+$/.test(length) && { bytes: Number(length) },
      ...etag !== undefined && (etag.startsWith('W/') ? { weak: etag } : { etag }), ...modified !== undefined && { modified },
    }
  }
}

/** Takes user and password out of the address: `fetch` refuses them there. */
function placeOf(text: string): Place {
  const url = new URL(text)
  const { username, password } = url
  if (username === '' && password === '') return { url: url.href }
  url.username = url.password = ''
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { url: url.href, authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}

/** Headers with which a server refuses a file that is another one by now. */
export function conditionOf({ etag, modified }: FilePin): Record<string, string> {
  if (etag !== undefined) return { 'if-match': etag }
  return modified === undefined ? {} : { 'if-unmodified-since': modified }
}

/** Throws ESTALE if the reply is of another content than the pinned one. */
export function checkSame(pin: FilePin, { headers }: HttpReply, shown: string): void {
  const { etag, 'last-modified': modified } = headers
  const other = pin.etag !== undefined ? etag !== pin.etag
    : pin.modified !== undefined && modified !== pin.modified || pin.weak !== undefined && etag !== pin.weak
  if (other) throw new GristmillError('ESTALE', `${shown} has changed since the transfer began; begin again`)
}

/** Throws ESTALE if the reply is another range than the one that was asked for, or of a file of another length. */
export function checkRange({ headers }: HttpReply, first: number, pin: FilePin, shown: string): void {
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers['content-range'] ?? '') ?? []
  if (Number(start) === first && (total === '*' || pin.bytes === undefined || Number(total) === pin.bytes)) return
  throw new GristmillError('ESTALE', `${shown}: the server has sent another part than it was asked for; begin again`)
}

/** Throws UNAVAILABLE if a body ends before its length, ESTALE if it goes on. `bytes`: NaN if the length is not known. */
export async function* counted(body: AsyncIterable<Uint8Array>, bytes: number, shown: string): AsyncGenerator<Uint8Array> {
  let seen = 0
  for await (const piece of body) {
    seen += piece.length
    if (seen > bytes) throw new GristmillError('ESTALE', `${shown}: the server has sent more bytes than it has said; begin again`)
    yield piece
  }
  if (seen < bytes) throw new GristmillError('UNAVAILABLE', `${shown}: the connection has ended ${bytes - seen} bytes too early`)
}
