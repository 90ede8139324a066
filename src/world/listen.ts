// Serves a fastify instance on a port, and wires on the same port through Upgrade. The connection of an accepted Upgrade is taken
// from Node's HTTP server together with its system handle, so that it can be read without copies. The number of connections is
// bounded (connections.ts); a connection that sends nothing is closed by the HTTP server's header timeout, which starts with the
// connection. Over TLS, a service knows a connection by the encrypted socket of its requests, and handshakes have a bound of their own
// (handshakes.ts). Closing waits for requests that have arrived,
// and not for connections that have sent none.

import type { IncomingMessage, Server } from 'node:http'
import net from 'node:net'
import os from 'node:os'
import type { Duplex } from 'node:stream'
import type tls from 'node:tls'
import { codes, GristmillError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../ports/log.ts'
import type { Listening, Service } from '../ports/net.ts'
import { addressOf, wireProtocol } from './address.ts'
import { processConnections, type Connections, type Ticket } from './connections.ts'
import { processHandshakes, type Handshakes } from './handshakes.ts'
import { acceptRawTargets } from './rawtarget.ts'
import { SocketWire } from './wire.ts'

/** True if a known user has asked by the connection, or by its second parser. */
const carries = (known: Pick<WeakSet<object>, 'has'> | undefined, again: WeakMap<object, object>, socket: object): boolean =>
  known !== undefined && (known.has(socket) || known.has(again.get(socket) ?? socket))

/** Interval of checks for idle connections while closing. */
const closingTickMs = 20

export async function listen(
  service: Service, at: { host: string; port: number }, log: Log, connections: Connections = processConnections(),
  handshakes: Handshakes = processHandshakes(),
): Promise<Listening> {
  const { http, known, rawTargets } = service
  connections.check()
  const server: Server = http.server
  const wires = new Set<SocketWire>()
  const tickets = new WeakMap<Duplex, Ticket>()
  // Not by the class: TLS would then be loaded in every process.
  const encryptedOf = 'setSecureContext' in server ? encryptedSockets(server as Server & tls.Server, handshakes) : undefined
  const open = new Set<net.Socket>()
  /** Connections (the sockets of requests) that have carried one. */
  const spoken = new WeakSet<object>()
  server.prependListener('request', ({ socket }) => { spoken.add(socket) })
  /** Sockets of requests that were parsed again, by those of their connections. */
  const again = new WeakMap<object, object>()
  if (rawTargets) acceptRawTargets(server, (socket, asked) => {
    spoken.add(socket)
    again.set(socket, asked)
  })
  server.prependListener('connection', (socket: net.Socket) => {
    const ticket = connections.enter({ socket, server, log, known: () => carries(known, again, encryptedOf?.(socket) ?? socket) })
    if (!ticket) return
    tickets.set(socket, ticket)
    open.add(socket)
    socket.once('close', () => {
      open.delete(socket)
      ticket.leave()
    })
  })
  server.on('upgrade', (request, socket, head) => {
    spoken.add(socket)
    open.delete(socket as net.Socket)
    upgrade(service, request, socket, head, { wires, log, ticket: tickets.get(socket) })
  })
  try {
    await http.listen({ host: at.host, port: at.port })
  } catch (error) {
    throw translated(error as NodeJS.ErrnoException, at)
  }
  const bound = server.address() as net.AddressInfo
  const everywhere = at.host === '0.0.0.0' || at.host === '::'
  return {
    address: addressOf(everywhere ? os.hostname() : at.host, bound.port),
    async close(graceMs = limits.drainMs) {
      const closing = http.close()
      const tick = setInterval(() => {
        server.closeIdleConnections()
        // For Node these wait for the rest of a head.
        for (const socket of open) if (!spoken.has(encryptedOf?.(socket) ?? socket)) socket.destroy()
      }, closingTickMs)
      const late = setTimeout(() => {
        server.closeAllConnections()
      }, graceMs)
      // Wires carry no calls that their owners would not repeat elsewhere; they get the same grace time.
      const wiresLate = setTimeout(() => {
        for (const wire of wires) wire.destroy(goingAway())
      }, graceMs)
      try {
        await closing
        await Promise.all([...wires].map(wire => wire.closed))
      } finally {
        clearInterval(tick)
        clearTimeout(late)
        clearTimeout(wiresLate)
      }
    },
  }
}

const plainText = 'this port speaks TLS, and the request came without it: use https:// in the address\n'
/** Answer to HTTP at a port of TLS, as web servers give it. */
const plainAnswer =
  `HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: ${plainText.length}\r\n\r\n${plainText}`

/**
 * Finds the encrypted socket of an accepted one. Node gives both, at different times, and both tell the address of the other side. Bounds
 * the handshakes in between.
 */
function encryptedSockets(server: tls.Server, handshakes: Handshakes): (accepted: net.Socket) => tls.TLSSocket | undefined {
  const [open, found] = [new Map<string, net.Socket>(), new WeakMap<net.Socket, tls.TLSSocket>()]
  const peerOf = ({ remoteAddress, remotePort }: net.Socket): string => `${remoteAddress} ${remotePort}`
  server.prependListener('connection', (socket: net.Socket) => {
    const peer = peerOf(socket)
    open.set(peer, socket)
    handshakes.begin(socket)
    socket.once('close', () => { if (open.get(peer) === socket) open.delete(peer) })
  })
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
    // The encrypted socket has ended; its own one still takes an answer in plain text.
    if (error.code === 'ERR_SSL_HTTP_REQUEST') (socket as { readonly _parent?: net.Socket })._parent?.end(plainAnswer)
  })
  server.on('secureConnection', socket => {
    const accepted = open.get(peerOf(socket))
    if (!accepted) return
    found.set(accepted, socket)
    handshakes.end(accepted)
  })
  return accepted => found.get(accepted)
}

function upgrade(
  service: Service, request: IncomingMessage, socket: Duplex, head: Buffer,
  { wires, log, ticket }: { wires: Set<SocketWire>; log: Log; ticket: Ticket | undefined },
): void {
  // Without a listener, an error before a wire takes over would end the process.
  socket.on('error', () => {})
  const remote = socket instanceof net.Socket ? addressOf(socket.remoteAddress ?? 'unknown', socket.remotePort ?? 0) : 'unknown'
  if (request.headers.upgrade?.toLowerCase() !== wireProtocol || !service.upgrade) {
    return refuse(socket, { status: 400, code: 'EINVAL', message: `this port upgrades to ${wireProtocol} only` })
  }
  let decision: ReturnType<NonNullable<Service['upgrade']>>
  try {
    decision = service.upgrade({ path: request.url ?? '/', headers: request.headers as Record<string, string | undefined>, remote })
  } catch (error) {
    log.error('the decision about an Upgrade request failed', { error, remote })
    return refuse(socket, { status: codes.INTERNAL.status, code: 'INTERNAL', message: 'the server failed to answer; its log says why' })
  }
  if ('refuse' in decision) return refuse(socket, decision.refuse)
  if (!ticket?.becomeWire()) {
    const { status } = codes.OVERLOADED
    return refuse(socket, {
      status, code: 'OVERLOADED',
      message: 'this process has as many connections as its limit of open files allows (ulimit -n); try again in a moment, or another one',
    })
  }
  const wire = takeOver(socket as net.Socket, head, remote)
  wires.add(wire)
  void wire.closed.then(() => { wires.delete(wire); ticket.leave() })
  // Not awaited: it is ordered before all writes of `run`, and its failure is the wire's.
  wire.write(Buffer.from(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${wireProtocol}\r\n\r\n`)).catch(() => {})
  decision.run(wire).catch((error: unknown) => {
    log.debug('a wire ended with an error', { error, remote })
    wire.destroy(error instanceof Error ? error : undefined)
  })
}

type Handled = { _handle?: unknown }

/**
 * Moves the connection to a new socket that reads into our buffers. Undocumented in Node, covered by tests; the fallback uses
 * 'data' events.
 */
function takeOver(socket: net.Socket, head: Buffer, remote: string): SocketWire {
  const handle = (socket as Handled)._handle
  if (!(socket instanceof net.Socket) || handle === null || handle === undefined || socket.constructor !== net.Socket) {
    return new SocketWire(() => socket, { remote, raw: false, head })
  }
  (socket as Handled)._handle = null // the old socket must not close what it no longer owns
  socket.removeAllListeners()
  socket.on('error', () => {})
  socket.destroy()
  return new SocketWire(
    onread => new net.Socket({ handle, onread, allowHalfOpen: true, manualStart: true } as object),
    { remote, raw: true, head },
  )
}

function refuse(socket: Duplex, { status, code, message }: { status: number; code: string; message: string }): void {
  const body = Buffer.from(JSON.stringify({ error: { code, message, details: {} } }))
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body.toString()}`,
  )
  // Otherwise a peer that keeps its side open would keep the connection open.
  socket.once('finish', () => socket.destroy())
}

const goingAway = () => new GristmillError('UNAVAILABLE', 'the server is going away; ask another one, or this one again later')

/** The error of a port that cannot be opened, in words. */
export function translated(error: NodeJS.ErrnoException, { host, port }: { host: string; port: number }): Error {
  const place = addressOf(host, port)
  if (error.code === 'EADDRINUSE')
    return new GristmillError('EADDRINUSE', `cannot listen on ${place}: another process does; stop it or choose another port`, {
      cause: error,
    })
  if (error.code === 'EACCES')
    return new GristmillError('EACCES', `cannot listen on ${place}: this user may not open that port; choose one above 1023`, {
      cause: error,
    })
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    return new GristmillError('CONFIG_INVALID', `cannot listen on ${place}: this machine has no such address`, { cause: error })
  }
  return error
}
