// Port: the network. HTTP for control (undici calls, fastify serves), and wires for data (raw connections obtained by HTTP Upgrade
// on the same port). A simulated network delivers both in memory.

import type { FastifyInstance } from 'fastify'
import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Address } from '../base/ids.ts'

export interface Net {
  /** Dispatcher for the HTTP client of src/rpc. */
  readonly dispatcher: Dispatcher
  /** Opens a wire. Rejects with UNAVAILABLE if no server answers, or with the server's error if it refuses. */
  connect(
    to: Address,
    request: { path: string; headers: Readonly<Record<string, string>> },
    options?: { signal?: AbortSignal; timeoutMs?: number },
  ): Promise<Wire>
  /**
   * Starts serving. Rejects with EADDRINUSE or EACCES (the message names the address), or CONFIG_INVALID. Port 0: any free port.
   */
  listen(service: Service, at: { host: string; port: number }): Promise<Listening>
  /**
   * Serves a protocol of its own on a port. Rejects as `listen` does. A simulation has none.
   */
  listenStreams?(service: StreamService, at: { host: string; port: number }): Promise<Listening>
  /** Closes idle connections. */
  close(): Promise<void>
}

export interface StreamService {
  /** Owns each connection and must end it. */
  readonly accept: (connection: StreamConnection) => void
  /** Connections (their `stream`, as it was accepted) whose users are known. All others are closed first when there are too many. */
  readonly known: { has(stream: object): boolean }
}

/** An accepted connection. */
export interface StreamConnection {
  readonly stream: Duplex
  /** Address of the other side, without its port. */
  readonly peer: string
  /** Goes on as the server's side of TLS. REQUIRES: nothing has been read from `stream` but what the client sent before. */
  encrypt(pair: { readonly cert: Uint8Array; readonly key: Uint8Array }): StreamConnection
}

export interface Service {
  readonly http: FastifyInstance
  /**
   * Connections (`raw.socket` of a request) over which a member of the cluster has called. All others are closed first when there
   * are too many.
   */
  readonly known?: { has(connection: object): boolean }
  /** Takes targets with bytes beyond ASCII, as `%XX`, in requests without a body; default: they are refused with 400. */
  readonly rawTargets?: true
  /** Decides on an Upgrade request, synchronously: `run` owns the wire and must end it. */
  upgrade?(request: { path: string; headers: Readonly<Record<string, string | undefined>>; remote: string }):
    | { run(wire: Wire): Promise<void> }
    | { refuse: { status: number; code: string; message: string } }
}

export interface Listening {
  /** The address for peers, with the actual port. */
  readonly address: Address
  /** Stops accepting, waits for calls in flight (at most `graceMs`), ends all connections and wires. */
  close(graceMs?: number): Promise<void>
}

/**
 * A raw two-way byte stream. At most one `read` is outstanding at a time; writes are ordered.
 * REQUIRES: the caller does not touch a buffer given to `read` or `write` until the promise settles.
 */
export interface Wire {
  readonly remote: string
  /** Fills `target` completely. Resolves false on a clean end before its first byte; rejects if the stream ends inside it. */
  read(target: Uint8Array): Promise<boolean>
  /** Sends all bytes; resolves when the buffers may be reused. Callers bound their outstanding writes. */
  write(...parts: Uint8Array[]): Promise<void>
  /** Announces the end of this side's data, after all writes. */
  end(): Promise<void>
  /** Drops the connection at once; outstanding reads and writes reject. */
  destroy(error?: Error): void
  /** Settles when the connection is closed. Never rejects. */
  readonly closed: Promise<void>
  /**
   * Milliseconds without a moved byte, while a read or write waits, after which the wire destroys itself with TIMEOUT. 0: never.
   */
  setProgressTimeout(ms: number): void
}
