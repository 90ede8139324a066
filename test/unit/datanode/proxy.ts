// Proxy in front of a datanode: passes bytes until a test cuts the connection, freezes it or spoils a byte.

import { createServer, connect, type Server, type Socket } from 'node:net'
import { address, type Address } from '../../../src/base/ids.ts'

export class Proxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Number of bytes sent to the datanode, over all connections. */
  forwarded = 0
  /** Cuts every connection after this number of bytes. */
  cutAfter = Number.POSITIVE_INFINITY
  /** Stops all traffic after this number of bytes, in both directions, without closing a connection. */
  freezeAfter = Number.POSITIVE_INFINITY
  /** Offset of the byte sent to the datanode that is changed. */
  spoil = -1
  /** The same for a byte on the way back. */
  spoilBack = -1
  #back = 0

  static async to(target: Address): Promise<Proxy> {
    const [host, port] = target.split(':')
    const proxy = new Proxy(host!, Number(port))
    await new Promise<void>(resolve => { proxy.#server.listen(0, '127.0.0.1', resolve) })
    return proxy
  }

  private constructor(host: string, port: number) {
    this.#server = createServer({ allowHalfOpen: true }, client => {
      const server = connect({ host, port, allowHalfOpen: true })
      for (const [from, to] of [[client, server], [server, client]] as const) {
        this.#sockets.add(from)
        from.on('error', () => to.destroy())
        from.on('close', () => { this.#sockets.delete(from); to.destroy() })
        from.on('end', () => to.end())
      }
      client.on('data', (bytes: Buffer) => {
        const at = this.forwarded
        this.forwarded += bytes.length
        if (this.spoil >= at && this.spoil < this.forwarded) bytes[this.spoil - at]! ^= 1
        if (this.forwarded >= this.freezeAfter) { client.pause(); server.pause(); return }
        if (this.forwarded >= this.cutAfter) { client.destroy(); server.destroy(); return }
        if (!server.write(bytes)) { client.pause(); server.once('drain', () => client.resume()) }
      })
      server.on('data', (bytes: Buffer) => {
        const at = this.#back
        this.#back += bytes.length
        if (this.spoilBack >= at && this.spoilBack < this.#back) bytes[this.spoilBack - at]! ^= 1
        if (!client.write(bytes)) { server.pause(); client.once('drain', () => server.resume()) }
      })
    })
  }

  get address(): Address { return address(`127.0.0.1:${(this.#server.address() as { port: number }).port}`) }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise(resolve => this.#server.close(resolve))
  }
}
