// The network: HTTP for control (undici calls, fastify serves) and wires for data (a raw connection obtained
// by HTTP Upgrade on the same port). A simulated network delivers both in memory.

import type { FastifyInstance } from 'fastify'
import type { Dispatcher } from 'undici'
import type { Address } from '../base/ids.ts'

export interface Net {
  /** What src/rpc gives to undici. */
  readonly dispatcher: Dispatcher
  /** Opens a wire. Rejects with UNAVAILABLE if nobody answers, or with the server's own error if it refuses. */
  connect(
    to: Address,
    request: { path: string; headers: Readonly<Record<string, string>> },
    options?: { signal?: AbortSignal; timeoutMs?: number },
  ): Promise<Wire>
  /** Starts serving. Rejects with EADDRINUSE or EACCES (message names the address), or CONFIG_INVALID. Port 0 takes a free one. */
  listen(service: Service, at: { host: string; port: number }): Promise<Listening>
  /** Ends idle connections. */
  close(): Promise<void>
}

export interface Service {
  readonly http: FastifyInstance
  /**
   * Connections (a request's `raw.socket`) over which a member of the cluster has called. Where connections are too many, all others go
   * first.
   */
  readonly known?: { has(connection: object): boolean }
  /** Decides about an Upgrade request, synchronously: `run` owns the wire and must end it. */
  upgrade?(request: { path: string; headers: Readonly<Record<string, string | undefined>>; remote: string }):
    | { run(wire: Wire): Promise<void> }
    | { refuse: { status: number; code: string; message: string } }
}

export interface Listening {
  /** The address others connect to, with the real port. */
  readonly address: Address
  /** Stops accepting, waits for calls in flight (at most `graceMs`), ends all connections and wires. */
  close(graceMs?: number): Promise<void>
}

/**
 * A raw two-way byte stream. At most one `read` is outstanding at a time; writes are ordered.
 * REQUIRES: a buffer given to `read` or `write` is not touched until the promise settles.
 */
export interface Wire {
  readonly remote: string
  /** Fills `target` exactly. Resolves false on a clean end before its first byte; rejects if the stream ends inside it. */
  read(target: Uint8Array): Promise<boolean>
  /** Sends all bytes; resolves when the buffers may be used again. Callers bound what they have outstanding. */
  write(...parts: Uint8Array[]): Promise<void>
  /** Says that no more will be written, after what was. */
  end(): Promise<void>
  /** Drops the connection now; outstanding reads and writes reject. */
  destroy(error?: Error): void
  /** Settles when the connection is gone. Never rejects. */
  readonly closed: Promise<void>
  /** Milliseconds without any byte moving, while a read or write waits, after which the wire destroys itself with TIMEOUT. 0: never. */
  setProgressTimeout(ms: number): void
}
