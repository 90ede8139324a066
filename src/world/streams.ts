// Serves a protocol of its own on a TCP port, with TLS where the protocol asks for it on an open connection. The connections count among
// those of the process (connections.ts), and their handshakes among its handshakes.

import net from 'node:net'
import os from 'node:os'
import tls from 'node:tls'
import type { Log } from '../ports/log.ts'
import type { Listening, StreamConnection, StreamService } from '../ports/net.ts'
import { addressOf } from './address.ts'
import { processConnections, type Connections } from './connections.ts'
import { processHandshakes } from './handshakes.ts'
import { translated } from './listen.ts'

/** A peer that has gone without a word is found by the system after about this time, and its connection ends. */
const keepAliveMs = 60_000

export async function listenStreams(
  { accept, known }: StreamService, at: { host: string; port: number }, log: Log, connections: Connections = processConnections(),
): Promise<Listening> {
  connections.check()
  const open = new Set<net.Socket>()
  const server = net.createServer({ allowHalfOpen: false, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs }, socket => {
    // Without a listener, an error of a connection would end the process.
    socket.on('error', () => {})
    const ticket = connections.enter({ socket, log, known: () => known.has(socket) })
    if (!ticket) return
    open.add(socket)
    socket.once('close', () => {
      open.delete(socket)
      ticket.leave()
    })
    accept(connectionOf(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', error => reject(translated(error, at)))
    server.listen({ host: at.host, port: at.port }, resolve)
  })
  const bound = server.address() as net.AddressInfo
  const everywhere = at.host === '0.0.0.0' || at.host === '::'
  return {
    address: addressOf(everywhere ? os.hostname() : at.host, bound.port),
    async close() {
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}

type KeyPair = Parameters<StreamConnection['encrypt']>[0]

/** Made once for a certificate: it reads the key, and would be in the memory of each connection. */
const contexts = new WeakMap<KeyPair, tls.SecureContext>()

function contextOf(pair: KeyPair): tls.SecureContext {
  const known = contexts.get(pair) ?? tls.createSecureContext({
    cert: Buffer.from(pair.cert), key: Buffer.from(pair.key), minVersion: 'TLSv1.2',
  })
  contexts.set(pair, known)
  return known
}

function connectionOf(socket: net.Socket): StreamConnection {
  const peer = socket.remoteAddress ?? 'unknown'
  return {
    stream: socket, peer,
    encrypt(pair) {
      const handshakes = processHandshakes()
      handshakes.begin(socket)
      const secure = new tls.TLSSocket(socket, { isServer: true, secureContext: contextOf(pair) })
      secure.once('secure', () => handshakes.end(socket))
      secure.on('error', () => { socket.destroy() })
      return { stream: secure, peer, encrypt: () => { throw new Error('the connection is encrypted already') } }
    },
  }
}
