// Bytes of files for the page: download, the first bytes for a preview, upload, and the logs of a job or of a server as one text.
// INVARIANT: no bytes of the cluster are sent in a form that a browser would run: they are attachments or text, or pixels of a known kind.

import { GristmillError } from '../../src/base/errors.ts'
import { formatOfName } from '../../src/base/formats.ts'
import { KiB, MiB } from '../../src/base/units.ts'
import type { Exchange } from '../gateway/exchange.ts'
import type { Mill } from '../mill.ts'
import { logLineText } from '../service/logtext.ts'
import { apiHeaders } from './guard.ts'

const previewBytes = 256 * KiB
/** Larger pictures are not shown. */
const imageBytesMax = 16 * MiB
/** A log of millions of lines belongs into a file. */
const logBytesMax = 4 * MiB

const images: Readonly<Record<string, string>> = {
  png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg', gif: 'image/gif', webp: 'image/webp', avif: 'image/avif',
}

export type ContentMode = 'download' | 'head' | 'image'

/** Sends a file. `head`: its first 256 KiB, for a preview. */
export async function sendContent(exchange: Exchange, mill: Mill, path: string, mode: ContentMode): Promise<void> {
  const { signal } = exchange
  const { length, type } = await mill.status(path, { signal })
  if (type === 'directory') throw new GristmillError('EISDIR', `"${path}" is a directory; open one of its files`)
  const image = images[path.split('.').at(-1)!.toLowerCase()]
  if (mode === 'image' && (image === undefined || length > imageBytesMax))
    throw new GristmillError('EINVAL', `"${path}" is not shown as a picture; download it`)
  const handle = await mill.open(path, 'r', { signal })
  const end = mode === 'head' ? Math.min(length, previewBytes) : length
  const chunks = end === 0 ? none() : handle.createReadStream({ start: 0, end: end - 1, signal }) as AsyncIterable<Buffer>
  const escape = (char: string): string => `%${char.charCodeAt(0).toString(16).toUpperCase()}`
  const name = encodeURIComponent(path.split('/').at(-1)!).replaceAll(/['()*]/g, escape)
  await exchange.stream(200, {
    ...apiHeaders, 'content-type': mode === 'image' ? image! : 'application/octet-stream', 'content-length': end,
    ...mode === 'download' && { 'content-disposition': `attachment; filename*=UTF-8''${name}` },
  }, chunks)
}

async function* none(): AsyncGenerator<Buffer, void, undefined> { /* an empty file */ }

/** Stores the body of the request as a file, which becomes visible when all of it has arrived. */
export async function takeContent(exchange: Exchange, mill: Mill, path: string, overwrite: boolean): Promise<void> {
  const { signal, headers } = exchange
  const announced = headers['content-length'] === undefined ? undefined : Number(headers['content-length'])
  await mill.writeFile(path, whole(exchange, announced), { signal, overwrite, format: formatOfName(path) })
}

/** Throws before the end if the body is cut: a part of an upload must not become a file. */
async function* whole(exchange: Exchange, announced: number | undefined): AsyncGenerator<Buffer, void, undefined> {
  let bytes = 0
  for await (const piece of exchange.body()) {
    bytes += piece.length
    yield piece
  }
  if (announced !== undefined && bytes !== announced)
    throw new GristmillError('ABORTED', `the upload ended after ${bytes} of ${announced} bytes; send the file again`)
}

interface LogChoice {
  readonly stage?: number | undefined
  readonly task?: number | undefined
  /** Goes on until the job has ended. */
  readonly follow: boolean
  readonly signal: AbortSignal
}

/** Logs of a job's attempts as text: a line names each attempt before its lines. */
export async function sendLogs(exchange: Exchange, mill: Mill, id: string, choice: LogChoice): Promise<void> {
  await exchange.stream(200, { ...apiHeaders, 'content-type': 'text/plain; charset=utf-8' }, logText(mill, id, choice))
}

async function* logText(mill: Mill, id: string, choice: LogChoice): AsyncGenerator<string, void, undefined> {
  let left = logBytesMax
  let attempt = ''
  for await (const piece of mill.job(id).logs(choice)) {
    const text = piece.unreachable === undefined ? piece.text : `(the log on ${piece.node} cannot be read now: ${piece.unreachable})\n`
    if (text === '') continue
    if (piece.attempt !== attempt) yield `${attempt === '' ? '' : '\n'}── ${piece.attempt} on ${piece.node}\n`
    attempt = piece.attempt
    if (text.length > left) {
      yield `${text.slice(0, left)}\n(more than ${logBytesMax / MiB} MiB: gristmill logs ${id} prints all)\n`
      return
    }
    left -= text.length
    yield text
  }
}

/** The last lines of a server's log as text. */
export async function sendServerLog(
  exchange: Exchange, mill: Mill, server: string, choice: { readonly follow: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const lines = mill.servers.log(server, choice)
  // The first line is asked for before the answer begins, so that a refusal is one.
  const first = await lines.next()
  await exchange.stream(200, { ...apiHeaders, 'content-type': 'text/plain; charset=utf-8' }, (async function* () {
    if (first.done) return
    yield `${logLineText(first.value)}\n`
    for await (const line of lines) yield `${logLineText(line)}\n`
  })())
}
