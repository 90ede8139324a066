// One HTTP exchange over an undici dispatcher at its lowest level: no streams, no intermediate objects. Reports whether the request
// may have reached the server, which decides about retries.

import type { Dispatcher } from 'undici'
import type { Address } from '../base/ids.ts'

interface ExchangeResult { readonly status: number; readonly text: string }

interface ExchangeOptions {
  readonly address: Address
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: string
  /** Larger replies are aborted with an error. */
  readonly replyBytesMax: number
  /** Called when the first byte may be sent. */
  readonly onSent?: (() => void) | undefined
}

interface Exchange {
  readonly outcome: Promise<ExchangeResult>
  /** Aborts the exchange; the outcome rejects with the reason. */
  abort(reason: Error): void
  /** False: no byte was sent, so nothing can have happened. */
  readonly sent: boolean
}

class Running implements Exchange {
  readonly outcome: Promise<ExchangeResult>
  sent = false
  readonly #resolve: (outcome: ExchangeResult) => void
  readonly #reject: (error: Error) => void
  readonly #replyBytesMax: number
  readonly #onSent: (() => void) | undefined
  #controller: Dispatcher.DispatchController | undefined
  #aborted: Error | undefined
  #status = 0
  #bytes = 0
  #first: Buffer | undefined
  #more: Buffer[] | undefined

  constructor({ replyBytesMax, onSent }: Pick<ExchangeOptions, 'replyBytesMax' | 'onSent'>) {
    this.#replyBytesMax = replyBytesMax
    this.#onSent = onSent
    const { promise, resolve, reject } = Promise.withResolvers<ExchangeResult>()
    this.outcome = promise
    this.#resolve = resolve
    this.#reject = reject
  }

  abort(reason: Error): void {
    this.#aborted ??= reason
    // Rejects at once: the pool may take a while to notice.
    this.#reject(reason)
    this.#controller?.abort(reason)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#aborted) controller.abort(this.#aborted) // aborted while waiting for a connection: nothing is sent
    else {
      this.sent = true
      this.#onSent?.()
    }
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void { this.#status = status }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes > this.#replyBytesMax) controller.abort(new Error(`the answer has over ${this.#replyBytesMax} bytes`))
    else if (this.#first) (this.#more ??= []).push(chunk)
    else this.#first = chunk
  }

  onResponseEnd(): void {
    const whole = this.#more ? Buffer.concat([this.#first!, ...this.#more]) : this.#first
    this.#resolve({ status: this.#status, text: whole ? whole.toString() : '' })
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void { this.#reject(error) }
}

export function exchange(dispatcher: Dispatcher, { address, path, headers, body, replyBytesMax, onSent }: ExchangeOptions): Exchange {
  const running = new Running({ replyBytesMax, onSent })
  try {
    dispatcher.dispatch({ origin: `http://${address}`, path, method: 'POST', headers, body }, running)
  } catch (error) {
    running.onResponseError(undefined as never, error as Error)
  }
  return running
}
