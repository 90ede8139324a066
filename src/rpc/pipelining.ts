// Bounds what a connection that has no call of a member yet can ask for in one write. Node parses all requests of a chunk in one turn of
// the event loop, some two thousand in 64 KiB, and keeps their answers until they are read. On such a connection a request that comes
// before the one ahead of it is answered is dropped, and the connection ends with that answer: HTTP lets a server close, and a client
// asks again for what was not answered (RFC 9112, 9.3.2). Members may pipeline.

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { assert } from '../base/assert.ts'

/** REQUIRES: the server's only listener for requests is the one that answers them. `known`: connections of members. */
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
