// Bounds pipelining on connections that have made no authenticated call (such a caller is a member of the cluster). Node parses all
// requests of a chunk in one turn of the event loop, about two thousand in 64 KiB, and keeps their replies until they are read. On such a
// connection, a request that arrives before the previous one is answered is dropped, and the connection ends with that reply: HTTP allows a
// server to close, and a client repeats unanswered requests (RFC 9112, 9.3.2). Members may pipeline.

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { assert } from '../base/assert.ts'

/** `known`: connections of members. REQUIRES: the server's only request listener is the one that answers. */
export function boundPipelining(server: Server, known: { has(connection: object): boolean }): void {
  const listeners = server.listeners('request') as Array<(request: IncomingMessage, response: ServerResponse) => void>
  assert(listeners.length === 1, `${listeners.length} listeners answer requests`)
  const answer = listeners[0]!
  const current = new WeakMap<object, ServerResponse>()
  const ending = new WeakSet<object>()
  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    if (known.has(socket)) return answer(request, response)
    if (ending.has(socket)) return
    const ahead = current.get(socket)
    if (ahead) {
      ending.add(socket)
      socket.pause()
      if (!ahead.headersSent) ahead.shouldKeepAlive = false
      ahead.once('close', () => socket.destroySoon())
      return
    }
    current.set(socket, response)
    response.once('close', () => current.delete(socket))
    answer(request, response)
  })
}
