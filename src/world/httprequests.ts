// Tracks HTTP requests of a program that have no complete reply yet, with the channels that `fetch`, undici, node:http and node:http2
// publish. The bytes of their connections do not tell it: a request may wait for a connection of its pool, over TLS a server sends
// tickets before it replies, and a reply may pause between two parts.

import { subscribe } from 'node:diagnostics_channel'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { ClientHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'

/** `request`: nothing of the reply has come. `reply`: its head has come. */
type HttpPhase = 'request' | 'reply'

interface Asked<Start> {
  readonly start: Start
  /** Undefined if it has ended, or if nothing reads its reply, or if its reply has no end. */
  readonly phase: () => HttpPhase | undefined
}

interface Undici {
  /** Set for WebSockets and their like: the reply is no HTTP message. */
  readonly upgrade?: unknown
  readonly method?: string
}

interface HttpRequests<Start> { pending(): { readonly start: Start; readonly phase: HttpPhase }[] }

/** `start` is called when a request is made, by the code that makes it; undefined leaves the request out. For the life of the process. */
export function watchHttpRequests<Start>(start: () => Start | undefined): HttpRequests<Start> {
  const asked = new Map<object, Asked<Start>>()
  const add = (request: object, phase: () => HttpPhase | undefined): void => {
    const begun = start()
    if (begun) asked.set(request, { start: begun, phase })
  }
  const on = <Message>(name: string, told: (message: Message) => void): void => subscribe(name, message => { told(message as Message) })
  watchUndici(asked, add, on)

  on<{ request: ClientRequest }>('http.client.request.created', ({ request }) => {
    add(request, () => phaseOf(request))
    if (asked.has(request)) request.once('close', () => asked.delete(request))
  })
  on<{ stream: ClientHttp2Stream }>('http2.client.stream.created', ({ stream }) => {
    let replied = false
    add(stream, () => (stream.destroyed || stream.closed || isUnread(stream) ? undefined : replied ? 'reply' : 'request'))
    if (!asked.has(stream)) return
    stream.once('response', headers => { replied = true; if (isEndless(headers['content-type'])) asked.delete(stream) })
    stream.once('close', () => asked.delete(stream))
  })
  return {
    pending() {
      const found: { start: Start; phase: HttpPhase }[] = []
      for (const one of asked.values()) {
        const phase = one.phase()
        if (phase) found.push({ start: one.start, phase })
      }
      return found
    },
  }
}

/** `fetch`, and packages that use undici. Its requests tell their state by their events only. */
function watchUndici(
  asked: Map<object, unknown>, add: (request: object, phase: () => HttpPhase | undefined) => void,
  on: <Message>(name: string, told: (message: Message) => void) => void,
): void {
  const replies = new WeakMap<object, { socket?: Socket; replied: boolean }>()
  on<{ request: Undici }>('undici:request:create', ({ request }) => {
    if (request.upgrade || request.method === 'CONNECT') return
    const reply: { socket?: Socket; replied: boolean } = { replied: false }
    replies.set(request, reply)
    add(request, () => (!reply.replied ? 'request' : reply.socket && isUnread(reply.socket) ? undefined : 'reply'))
  })
  on<{ request: object; socket: Socket }>('undici:client:sendHeaders', ({ request, socket }) => {
    const reply = replies.get(request)
    if (reply) reply.socket = socket
  })
  on<{ request: object; response: { headers: readonly unknown[] } }>('undici:request:headers', ({ request, response: { headers } }) => {
    const reply = replies.get(request)
    if (reply) reply.replied = true
    const at = headers.findIndex((name, index) => index % 2 === 0 && String(name).toLowerCase() === 'content-type')
    if (at >= 0 && isEndless(String(headers[at + 1]))) asked.delete(request)
  })
  for (const end of ['undici:request:trailers', 'undici:request:error'])
    on<{ request: object }>(end, ({ request }) => asked.delete(request))
}

function phaseOf(request: ClientRequest & { readonly res?: IncomingMessage | null }): HttpPhase | undefined {
  const { res } = request
  if (!res) return request.destroyed ? undefined : 'request'
  return res.complete || res.destroyed || isUnread(res) || isEndless(res.headers['content-type']) ? undefined : 'reply'
}

/** A program that has looked at the head of a reply only leaves its body where it is. */
const isUnread = (from: { readonly readableLength: number }): boolean => from.readableLength > 0

/** A subscription: events come for as long as it is kept. */
const isEndless = (type: string | undefined): boolean => type?.startsWith('text/event-stream') === true
