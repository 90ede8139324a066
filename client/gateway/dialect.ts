// Contract between the shared half of a gateway (listener, limits, access log, identity) and a dialect (WebHDFS). A dialect holds no state
// between two requests: any gateway of the cluster answers the next one.

import type { GristmillError } from '../../src/base/errors.ts'
import type { Exchange } from './exchange.ts'

/** Paths that every listener answers itself, to requests without a signature (listener.ts). */
export const openPaths: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics'])

export interface GatewayDialect {
  /** `webhdfs`: in messages and in the log. */
  readonly name: string
  /**
   * Answers one request. Calls `exchange.identify` as soon as it is known whose request it is, and before it works for it. May throw before
   * the head of the answer is sent; the listener then calls `refuse`.
   */
  answer(exchange: Exchange): Promise<void>
  /** Sends an error in the form of the dialect. REQUIRES: the head of the answer has not been sent. */
  refuse(exchange: Exchange, error: GristmillError): Promise<void>
  /** True if a host names something of the dialect, as a bucket: each path is the dialect's then. Default: no host does. */
  isNamedBy?(host: string): boolean
  /** Called when the listener takes no more requests: answers those that wait for something to happen. */
  stop?(): Promise<void>
}
