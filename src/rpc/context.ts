// Context of a call, passed to its handler beside the request. Created for every call, so it holds little: the signal, which few
// handlers use, is created on first access.

import type { ServerResponse } from 'node:http'
import { GristmillError } from '../base/errors.ts'
import type { RequestId } from '../base/ids.ts'

export class CallContext {
  /** User on whose behalf the call is made; authenticated only by the cluster's secret. */
  readonly user: string
  /** Request id of a mutation, under which it takes effect once and has one reply. */
  readonly requestId: RequestId | undefined
  readonly #response: ServerResponse
  /** Calls that a drain interrupts; undefined if this call must complete. */
  readonly #waiting: Set<CallContext> | undefined
  #controller: AbortController | undefined

  constructor(user: string, requestId: RequestId | undefined, response: ServerResponse, waiting: Set<CallContext> | undefined) {
    this.user = user
    this.requestId = requestId
    this.#response = response
    this.#waiting = waiting
  }

  /** Aborts when the caller disconnects and, for long polls, when the server drains. */
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

  /** Called when the call is answered. */
  finish(): void {
    if (this.#controller) this.#waiting?.delete(this)
  }
}
