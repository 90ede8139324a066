// What a handler knows about its call beside the request. Made for every call, so it holds almost nothing:
// the signal, which few handlers ask for, comes into being when it is first looked at.

import type { ServerResponse } from 'node:http'
import { GristmillError } from '../base/errors.ts'
import type { RequestId } from '../base/ids.ts'

export class CallContext {
  /** On whose behalf; proved only as far as the cluster's secret goes. */
  readonly user: string
  /** Of a mutation: the id under which it has one effect and one answer. */
  readonly requestId: RequestId | undefined
  readonly #response: ServerResponse
  /** Calls that a drain interrupts; undefined if this one is to be finished. */
  readonly #waiting: Set<CallContext> | undefined
  #controller: AbortController | undefined

  constructor(user: string, requestId: RequestId | undefined, response: ServerResponse, waiting: Set<CallContext> | undefined) {
    this.user = user
    this.requestId = requestId
    this.#response = response
    this.#waiting = waiting
  }

  /** Aborts when the caller goes away and, for waiting calls, when the server drains. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      const controller = new AbortController()
      this.#controller = controller
      this.#waiting?.add(this)
      const response = this.#response
      const gone = (): void => {
        if (!response.writableFinished) controller.abort(new GristmillError('ABORTED', 'the caller went away'))
      }
      if (response.destroyed) gone()
      else response.once('close', gone)
    }
    return this.#controller.signal
  }

  abort(reason: GristmillError): void { this.#controller?.abort(reason) }

  /** The call is answered. */
  finish(): void {
    if (this.#controller) this.#waiting?.delete(this)
  }
}
