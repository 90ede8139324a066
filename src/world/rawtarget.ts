// Requests whose target has bytes beyond ASCII. Hadoop's client sends names over `webhdfs://` as their UTF-8 bytes, and HDFS's server takes
// them; Node's parser refuses such a request. It is parsed again with these bytes as %XX, and its connection ends with the answer.
// INVARIANT: one such request of a connection is answered, with no other request before it that has no answer yet: answers would mix. It
// has no body: clients send bodies to addresses that the gateway has made. Only a packet that begins with the refused request is parsed
// again: the bytes before it may be the end of a body, which its sender chose. Packets with the rest of its head are held with it, as many
// bytes as a head may have.

import { createServer, maxHeaderSize, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Duplex } from 'node:stream'
import type { Socket } from 'node:net'

interface ParseError extends Error {
  readonly code?: string
  readonly rawPacket?: Buffer
  /** Offset of the refused byte in `rawPacket`. */
  readonly bytesParsed?: number
}

/**
 * The bytes of a packet before the first one beyond ASCII, if the refused request begins with the packet. The parser was in the target of a
 * request then, and no target has a space in it: the space here is the one before the target, so that the method of the request ends here.
 * No method that the parser knows ends with one of these or is the end of one: the method is this one, and its first byte is the packet's.
 */
const beginning = /^(?:DELETE|GET|HEAD|OPTIONS|POST|PUT) \/[!-~]*$/

/**
 * `spoke` is told of a connection that has carried such a request, and of the socket that this request has. Other errors go to the
 * listeners that `server` has. REQUIRES: they are all there.
 */
export function acceptRawTargets(server: Server, spoke: (socket: Socket, asked: Duplex) => void): void {
  const refuse = server.listeners('clientError') as Array<(error: ParseError, socket: Socket) => void>
  const parser = createServer()
  parser.removeAllListeners('request')
  parser.on('request', (request: IncomingMessage, response: ServerResponse) => server.emit('request', request, response))
  const failed = new WeakSet<Socket>()
  const held = new WeakMap<Socket, Held>()
  const taken = new WeakSet<Socket>()
  const answering = new WeakSet<Socket>()
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    answering.add(socket)
    response.once('close', () => { answering.delete(socket) })
  })
  server.removeAllListeners('clientError')
  server.on('clientError', (error: ParseError, socket: Socket) => {
    // The first parser fails for whatever comes next, and waits in vain for the rest of its head.
    if (taken.has(socket)) return
    const before = held.get(socket)
    const isRaw = before ? follows(before, error, socket) : !failed.has(socket) && !answering.has(socket) && beginsRefused(error)
    const bytes = isRaw ? Buffer.concat([before?.bytes ?? Buffer.alloc(0), error.rawPacket!]) : undefined
    failed.add(socket)
    held.delete(socket)
    if (bytes && bytes.length <= maxHeaderSize && !bytes.includes('\r\n\r\n'))
      return void held.set(socket, { bytes, readBytes: socket.bytesRead })
    const head = bytes ? asciiHead(bytes) : undefined
    if (head === undefined) return void refuse.forEach(listener => listener.call(server, error, socket))
    taken.add(socket)
    const parsed = new Parsed(socket, head)
    spoke(socket, parsed)
    parser.emit('connection', parsed)
  })
}

/** True if the packet begins with a request that the parser has refused for a byte beyond ASCII in its target. */
function beginsRefused({ code, rawPacket: packet, bytesParsed: end }: ParseError): boolean {
  if (code !== 'HPE_INVALID_URL' || packet === undefined || end === undefined) return false
  return (packet[end] ?? 0) > 0x7f && beginning.test(packet.toString('latin1', 0, end))
}

/** Packets that begin with the refused request and have a part of its head. The time for the rest is the server's `headersTimeout`. */
interface Held {
  readonly bytes: Buffer
  /** Bytes that the connection has brought with them. */
  readonly readBytes: number
}

/** True if the packet is the next one of the connection. The parser fails for each that comes. */
const follows = ({ readBytes }: Held, { rawPacket: packet }: ParseError, { bytesRead }: Socket): boolean =>
  packet !== undefined && packet.length > 0 && bytesRead === readBytes + packet.length

/** Head with a target in ASCII, which asks for the end of the connection; undefined: it is incomplete, or has a body. */
function asciiHead(packet: Buffer): string | undefined {
  const text = packet.toString('latin1')
  const [target, ends] = [text.indexOf('\r\n'), text.indexOf('\r\n\r\n')]
  if (ends < 0) return undefined
  const headers = text.slice(target, ends).split('\r\n').slice(1)
  if (headers.some(line => /^(?:content-length:[ \t]*0*[1-9]|transfer-encoding:|expect:)/i.test(line))) return undefined
  const line = text.slice(0, target).replaceAll(/[\u0080-\u00ff]/g, byte => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`)
  return [line, ...headers.filter(header => !/^connection:/i.test(header)), 'Connection: close', '', ''].join('\r\n')
}

/** The same connection for a second parser, which gets `head` and nothing else. */
class Parsed extends Duplex {
  readonly remoteAddress: string | undefined
  readonly #socket: Socket

  constructor(socket: Socket, head: string) {
    super()
    this.#socket = socket
    this.remoteAddress = socket.remoteAddress
    socket.once('close', () => this.destroy())
    this.push(head, 'latin1')
  }

  override _read(): void {}
  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void { this.#socket.write(bytes, done) }

  /** Called when the answer is written: the connection ends with it, also if the client leaves its half open. */
  override _final(done: (error?: Error | null) => void): void {
    this.#socket.destroySoon()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }
}
