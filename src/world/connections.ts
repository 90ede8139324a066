// Bounds the accepted connections of a process, over all of its listeners, below its limit of open files: the rest is for disks,
// connections to peers, and child processes. At the bound, a new connection replaces the oldest one without a request of a cluster
// member; then idle connections of members are closed; only then is the new one refused.
// Invariant: `taken` is the sum of the costs of all open tickets, and at most `max`.

import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { assert, assertKept } from '../base/assert.ts'
import { GristmillError } from '../base/errors.ts'
import type { Log } from '../ports/log.ts'
import { descriptorLimit } from './descriptors.ts'

/** A server needs more: Node, LMDB, logs, the journal and a few disks take about 60. */
const limitMin = 128
/** Descriptors never given to connections: those 60, and a quarter for disks, peers and child processes. */
const keptMin = 64
const keptShare = 0.25
/** A wire holds one connection, and while it transfers a block two files and a connection to the next pipeline member. */
export const wireCost = 4
/** Minimum interval of log lines about the limit. */
const logMs = 60_000

export interface Guest {
  readonly socket: Socket
  /** Closes its idle connections when there is need. */
  readonly server?: Server
  /** True if a member of the cluster has sent a request over it, or its user is known. */
  readonly known: () => boolean
  readonly log: Log
}

export class Ticket {
  readonly #room: Connections
  readonly guest: Guest
  cost = 1

  constructor(room: Connections, guest: Guest) {
    this.#room = room
    this.guest = guest
  }

  /** Accounts the connection as a wire. False: there is no room for the cost of a wire. */
  becomeWire(): boolean { return this.#room.grow(this, wireCost) }
  /** Called when the connection is closed. May be called again. */
  leave(): void { this.#room.leave(this) }
}

export class Connections {
  readonly #limit: number
  readonly max: number
  readonly #tickets = new Set<Ticket>()
  /** Connections not known to be used by a member of the cluster, oldest first. */
  readonly #strangers = new Set<Ticket>()
  #taken = 0
  #loggedMs = Number.NEGATIVE_INFINITY
  /** Number of connections closed, and refused, since the start. */
  evicted = 0
  refused = 0

  constructor(limit: number) {
    this.#limit = limit
    this.max = limit - keptMin - Math.floor(limit * keptShare)
  }

  /** Descriptors taken by connections now. */
  get taken(): number { return this.#taken }

  /** Throws CONFIG_INVALID if this process cannot have enough open files to serve. */
  check(): void {
    if (this.#limit >= limitMin) return
    throw new GristmillError(
      'CONFIG_INVALID',
      `this process may have ${this.#limit} files open, and a server needs ${limitMin} at the least, better some thousands; raise the limit (ulimit -n, LimitNOFILE=) and start it again`,
    )
  }

  /** Accounts an accepted connection. undefined: there was no room, and it was closed. */
  enter(guest: Guest): Ticket | undefined {
    const ticket = new Ticket(this, guest)
    if (!this.#makeRoom(1, guest)) {
      this.refused++
      guest.socket.destroy()
      return undefined
    }
    this.#taken++
    this.#tickets.add(ticket)
    this.#strangers.add(ticket)
    return ticket
  }

  grow(ticket: Ticket, cost: number): boolean {
    if (!this.#tickets.has(ticket)) return false
    this.#strangers.delete(ticket)
    if (!this.#makeRoom(cost - ticket.cost, ticket.guest)) return false
    this.#taken += cost - ticket.cost
    ticket.cost = cost
    return true
  }

  leave(ticket: Ticket): void {
    if (!this.#tickets.delete(ticket)) return
    this.#strangers.delete(ticket)
    this.#taken -= ticket.cost
  }

  /** Throws AssertionFailed if `taken` is not the sum over the open tickets, or above the bound. For tests. */
  checkState(): void {
    assertKept('descriptors of connections', this.#taken, [...this.#tickets].reduce((sum, { cost }) => sum + cost, 0))
    assert(this.#taken <= this.max, `connections take ${this.#taken} descriptors, at most ${this.max} may be taken`)
    for (const stranger of this.#strangers) assert(this.#tickets.has(stranger), 'a connection without a ticket can be evicted')
  }

  #makeRoom(cost: number, guest: Guest): boolean {
    if (this.#taken + cost <= this.max) return true
    this.#evictStrangers(cost)
    if (this.#taken + cost > this.max) this.#closeIdle()
    const fits = this.#taken + cost <= this.max
    this.#say(guest.log, fits)
    return fits
  }

  #evictStrangers(cost: number): void {
    for (const ticket of this.#strangers) {
      if (this.#taken + cost <= this.max) return
      this.#strangers.delete(ticket)
      // Members are recognised only here, where it matters.
      if (ticket.guest.known()) continue
      this.#close(ticket)
    }
  }

  /** Closes connections of members between two requests; a member that needs one opens it again. */
  #closeIdle(): void {
    for (const server of new Set([...this.#tickets].map(({ guest }) => guest.server))) server?.closeIdleConnections()
    // The socket of a wire is destroyed when SocketWire takes its connection over.
    for (const ticket of this.#tickets) if (ticket.cost === 1 && ticket.guest.socket.destroyed) this.#close(ticket)
  }

  #close(ticket: Ticket): void {
    this.evicted++
    this.leave(ticket)
    ticket.guest.socket.destroy()
  }

  #say(log: Log, fits: boolean): void {
    const nowMs = performance.now()
    if (nowMs - this.#loggedMs < logMs) return
    this.#loggedMs = nowMs
    log.warn(
      'this process has as many connections as its limit of open files allows; ' +
      `${fits ? 'those without a request of this cluster, or idle, are closed for new ones' : 'new ones are refused'}: raise the limit ` +
      '(ulimit -n), or find out which client opens them',
      { limit: this.#limit, connections: this.#tickets.size, evicted: this.evicted, refused: this.refused },
    )
  }
}

let shared: Connections | undefined
/** All listeners of a process share its descriptors. */
export const processConnections = (): Connections => shared ??= new Connections(descriptorLimit())
