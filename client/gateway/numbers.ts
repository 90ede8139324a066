// Numbers of the requests that a gateway answers, counted by its listeners: some additions for each request.
// INVARIANT: operations and statuses are the gateway's own: no client makes a new one.

import { Durations } from '../../src/rpc/durations.ts'
import type { Exchange } from './exchange.ts'

/** Operation of a request that was refused before its operation was known. */
const unknown = 'unknown'

/** Numbers of one dialect. */
export class DialectNumbers {
  readonly dialect: string
  readonly operations = new Map<string, Durations>()
  readonly bytes = { in: 0, out: 0 }
  /** Requests that are being answered. */
  inFlight = 0
  connections = 0

  constructor(dialect: string) { this.dialect = dialect }

  /** Counts a request whose answer has ended, or whose client has gone. */
  record({ operation = unknown, status, receivedBytes, sentBytes }: Pick<Exchange, 'operation' | 'status' | 'receivedBytes' | 'sentBytes'>,
    ms: number): void {
    let durations = this.operations.get(operation)
    if (!durations) this.operations.set(operation, durations = new Durations())
    durations.record(String(status), ms)
    this.bytes.in += receivedBytes
    this.bytes.out += sentBytes
  }
}

/** Work of a server of a protocol that is not HTTP, now. */
export interface ServerLoad { readonly connections: number; readonly queries: number }

/** Numbers of all that a gateway serves. */
export interface GatewayNumbers {
  readonly dialects: readonly DialectNumbers[]
  readonly servers: readonly { readonly name: string; readonly load: ServerLoad }[]
}

/** Text for scrapers, and its type. */
export interface ShownMetrics { readonly type: string; readonly text: () => Promise<string> }
