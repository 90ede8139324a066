// Port: HTTP requests to servers outside of the cluster. Calls between the cluster's own processes go through src/rpc.

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | undefined
  readonly signal?: AbortSignal | undefined
}

export interface HttpReply {
  readonly status: number
  /** Names are in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** The body as it was sent, in pieces. It can be read once; REQUIRES: it is read to its end, or closed by leaving the loop. */
  readonly body: AsyncIterable<Uint8Array>
  /** Drops the body without reading it. */
  discard(): Promise<void>
}

/**
 * Sends a request; resolves when the head of the reply has come. A redirect is returned, not followed. Rejects with Node's error if no
 * server answers, and with the signal's reason.
 */
export type HttpFetch = (request: HttpRequest) => Promise<HttpReply>
