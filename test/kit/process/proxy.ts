// Proxy in front of one process: peers are given this address instead of the process's own. The connecting party is read from the first
// request's user-agent; from then on both directions are subject to the cluster's links.

import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Random } from '../../../src/ports/random.ts'
import { Flow } from './flow.ts'
import type { Links } from './links.ts'

const headBytesMax = 16_384
/** Time that the second copy of a request has to take effect. */
const repeatMs = 2_000

export interface ProxyOptions {
  /** Name of the process behind it. */
  readonly name: string
  readonly links: Links
  readonly random: Random
  /** Maps a node id to its name (`datanode1`), and every other caller to `client`. */
  readonly partyOf: (who: string) => string
}

/** `down`: connections are reset. `starting`: they wait. Otherwise the address on which the process listens. */
export type Target = 'down' | 'starting' | { readonly host: string; readonly port: number }

export class Proxy {
  readonly address: string
  readonly #options: ProxyOptions
  readonly #server: Server
  readonly #open = new Set<Socket>()
  #target: Target = 'down'
  #waiting: Array<() => void> = []

  static async open(options: ProxyOptions): Promise<Proxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    server.unref()
    return new Proxy(server, options)
  }

  private constructor(server: Server, options: ProxyOptions) {
    this.#server = server
    this.#options = options
    this.address = `127.0.0.1:${(server.address() as { port: number }).port}`
    server.on('connection', socket => { void this.#accept(socket) })
  }

  set target(target: Target) {
    this.#target = target
    if (target === 'starting') return
    for (const go of this.#waiting.splice(0)) go()
  }

  /** Resets all connections, as when a cable is pulled and both sides notice. */
  reset(): void { for (const socket of this.#open) socket.resetAndDestroy() }

  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => { this.#server.close(() => resolve()) })
    this.target = 'down'
    for (const socket of this.#open) socket.destroy()
    await closed
  }

  async #accept(client: Socket): Promise<void> {
    const { name, links, random, partyOf } = this.#options
    this.#keep(client)
    const head = await readHead(client)
    if (!head) return void client.destroy()
    while (this.#target === 'starting' && !client.destroyed) await new Promise<void>(resolve => { this.#waiting.push(resolve) })
    const target = this.#target
    if (typeof target === 'string' || client.destroyed) return void client.resetAndDestroy()
    const server = connect({ ...target, allowHalfOpen: true, noDelay: true })
    this.#keep(server)
    const text = head.toString('latin1')
    const who = /\r\nuser-agent: gristmill\/[^\s(]+ \(([^)]*)\)/i.exec(text)?.[1] ?? 'client'
    // Looked up for each piece: a new datanode is known to its peers before it is known to the test.
    const party = (): string => partyOf(who)
    const wire = /\r\nupgrade: /i.test(text)
    const reset = (): void => { client.resetAndDestroy(); server.resetAndDestroy() }
    // The loss of one side resets the other, as the true peer's reset would.
    client.on('error', () => server.resetAndDestroy())
    server.on('error', () => client.resetAndDestroy())
    const up = new Flow({
      source: client, target: server, from: party, to: () => name, links, random, wire, reset, repeat: request => this.#repeat(request),
    })
    up.take(head)
    void new Flow({ source: server, target: client, from: () => name, to: party, links, random, wire, reset })
  }

  #keep(socket: Socket): void {
    this.#open.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => { this.#open.delete(socket) })
    // Sockets of the cluster do not keep the test's process alive.
    socket.unref()
  }

  /** Sends the same request on a connection of its own; the reply is dropped. */
  #repeat(request: Buffer): void {
    const target = this.#target
    if (typeof target === 'string') return
    const socket = connect(target, () => socket.write(request))
    this.#keep(socket)
    socket.resume()
    setTimeout(() => socket.destroy(), repeatMs).unref()
  }
}

/** Reads until a request's head is complete; undefined: no request came. */
function readHead(socket: Socket): Promise<Buffer | undefined> {
  return new Promise(resolve => {
    let head: Buffer = Buffer.alloc(0)
    const end = (found: Buffer | undefined): void => {
      socket.pause()
      socket.off('data', take).off('end', none).off('close', none)
      resolve(found)
    }
    const none = (): void => end(undefined)
    const take = (piece: Buffer): void => {
      head = head.length === 0 ? piece : Buffer.concat([head, piece])
      if (head.includes('\r\n\r\n') || head.length > headBytesMax) end(head)
    }
    socket.on('data', take).on('end', none).on('close', none)
  })
}
