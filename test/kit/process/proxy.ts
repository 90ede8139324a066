// The network in front of one process: others are told this address instead of the process's own. Who connects is read from the
// first request's user-agent, and from then on both directions are subject to the cluster's links.

import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Random } from '../../../src/ports/random.ts'
import { Flow } from './flow.ts'
import type { Links } from './links.ts'

const headBytesMax = 16_384
/** A second copy of a request has this long to have its effect. */
const repeatMs = 2_000

export interface ProxyOptions {
  /** Whose process it stands before. */
  readonly name: string
  readonly links: Links
  readonly random: Random
  /** `datanode1` for the id of that node; `client` for whoever is none. */
  readonly partyOf: (who: string) => string
}

/** `down`: connections are reset. `starting`: they wait. Else: where the process listens. */
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

  /** Drops all connections, as when a cable is pulled and both sides notice. */
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
    // Looked up for each piece: a node that has just been made is known to others before it is known to the test.
    const party = (): string => partyOf(who)
    const wire = /\r\nupgrade: /i.test(text)
    const reset = (): void => { client.resetAndDestroy(); server.resetAndDestroy() }
    // A side that vanishes takes the other with it: with a reset, as the true peer would have sent one.
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
    // The cluster's own doings do not keep a test's process alive.
    socket.unref()
  }

  /** The same request on a connection of its own; nobody hears its answer. */
  #repeat(request: Buffer): void {
    const target = this.#target
    if (typeof target === 'string') return
    const socket = connect(target, () => socket.write(request))
    this.#keep(socket)
    socket.resume()
    setTimeout(() => socket.destroy(), repeatMs).unref()
  }
}

/** All that comes until a request's head is there; undefined: no request came. */
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
