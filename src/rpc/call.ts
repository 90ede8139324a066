// Client side of a call. Retries until the deadline whatever is safe to repeat: requests that were never sent, messages that change
// nothing, and mutations, whose request id makes a repeat harmless. If the deadline passes and a mutation was sent without a reply,
// throws OUTCOME_UNKNOWN, never a code that says that nothing happened. The request id comes with the request (client/call/cluster.ts).

import type { Dispatcher } from 'undici'
import { abortError } from '../base/abort.ts'
import type { Background } from '../base/background.ts'
import { GristmillError } from '../base/errors.ts'
import { exhausted, isExhaustion } from '../base/exhaustion.ts'
import type { Address } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { version } from '../base/version.ts'
import { backoffMs, type Backoff } from '../base/backoff.ts'
import { retry } from '../base/retry.ts'
import type { Clock } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import type { Message, ReplyOf, RequestOf } from '../protocol/message.ts'
import { skewMs, type Credentials } from './auth.ts'
import { exchange } from './exchange.ts'
import { fromFault } from './fault.ts'
import type { Vault } from './vault.ts'

export interface RpcOptions {
  readonly signal?: AbortSignal | undefined
  /** Deadline of the whole call with its retries. Default: limits.callTimeoutMs, plus limits.longPollMs for a long poll. */
  readonly timeoutMs?: number | undefined
  /** Deadline of one attempt; then the next one starts. Default: that of the whole call. */
  readonly tryMs?: number | undefined
  /**
   * Deadline of the whole call once an attempt was sent and not answered in its time: the server is there and slow. Default: `timeoutMs`.
   */
  readonly unansweredMs?: number | undefined
  /** false: one attempt only. */
  readonly retry?: boolean | undefined
  /** Kind of server, for messages: "namenode", "datanode". */
  readonly peer?: string | undefined
  /** Called when the request may first have left this process. */
  readonly onSent?: (() => void) | undefined
}

interface UndoOptions<M extends Message> extends RpcOptions {
  /** Reverts the effect. Gets the reply of a call whose caller has aborted. */
  readonly undo: (reply: ReplyOf<M>) => Promise<unknown>
  /** Owner of the work that remains then. */
  readonly background: Pick<Background, 'add'>
}

export interface CallerOptions {
  readonly dispatcher: Dispatcher
  readonly credentials: Credentials
  readonly clock: Clock
  readonly random: Random
  /** Name of the caller in the user-agent header, for logs and proxies: a node's id; default: `client`. */
  readonly who?: string | undefined
  /** Retries without a deadline while a namenode is in safe mode; only the signal ends that. For unattended work. */
  readonly patient?: boolean | undefined
  /**
   * Called while a call is retried, from `waitMs` on, with the reason of the last attempt: it may wait for minutes, for instance until the
   * namenode knows that it is the latest.
   */
  readonly onWait?: ((why: GristmillError) => void) | undefined
}

/** Time for which a call is retried without a word: a namenode that restarts is mostly back by then. */
const waitMs = 3_000

/** A timer that fires this late shows that this process was paused: the reply may have arrived and be unread. */
const lateMs = 250

const backoff: Backoff = { firstMs: 25, maxMs: 2_000 }

/** Codes of failed connections: nothing was sent. */
const unreachable = new Set([
  'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'EADDRNOTAVAIL', 'UND_ERR_CONNECT_TIMEOUT',
])

const loopback = /^(?:127\.\d+\.\d+\.\d+|localhost|\[::1\]):/

interface Call {
  readonly address: Address
  readonly message: Message
  readonly body: string
  readonly peer: string
  /** True if a repeat after a lost reply is harmless. */
  readonly idempotent: boolean
  /** True if a mutation was sent and its reply never arrived. */
  unknown: boolean
  /** True if an attempt was sent, and its connection stood without an answer until its deadline. */
  unanswered: boolean
  readonly onSent: (() => void) | undefined
}

export class Caller {
  readonly #dispatcher: Dispatcher
  readonly #credentials: Credentials
  readonly #clock: Clock
  readonly #random: Random
  readonly #agent: Record<string, string>
  readonly #bearer: Record<string, string>
  readonly #patient: boolean
  readonly #onWait: ((why: GristmillError) => void) | undefined
  /** Loopback addresses whose servers also listen on other addresses, and therefore require signatures. */
  readonly #signed = new Set<Address>()
  /** Times at which servers have started that are ahead of this process's clock: requests are signed with these times. */
  readonly #startedMs = new Map<Address, number>()

  constructor({ dispatcher, credentials, clock, random, who = 'client', patient = false, onWait }: CallerOptions) {
    this.#dispatcher = dispatcher
    this.#credentials = credentials
    this.#patient = patient
    this.#onWait = onWait
    this.#clock = clock
    this.#random = random
    this.#agent = { 'user-agent': `gristmill/${version} (${who})` }
    this.#bearer = { 'content-type': 'application/json', ...this.#agent, ...credentials.bearer() }
  }

  /** User that calls are made as. */
  get user(): string { return this.#credentials.user }

  get vault(): Vault { return this.#credentials.vault }

  /** Headers that let this caller open one wire at `path`. Wires are few, so these are always signed. */
  admission(path: string): Record<string, string> {
    return { ...this.#agent, ...this.#credentials.sign({ method: 'GET', path, body: '' }) }
  }

  async call<M extends Message>(address: Address, message: M, request: RequestOf<M>, options: RpcOptions = {}): Promise<ReplyOf<M>> {
    const { signal, retry: repeat = true, peer = 'server' } = options
    if (signal?.aborted) throw abortError(signal)
    const timeoutMs = options.timeoutMs ?? limits.callTimeoutMs + (message.waits ? limits.longPollMs : 0)
    const leastMs = leastTryMs(timeoutMs)
    const startMs = this.#clock.mono()
    let until = startMs + timeoutMs
    const idempotent = !message.mutation || (request as { requestId?: unknown }).requestId !== undefined
    const call: Call = {
      address, message, body: JSON.stringify(request), peer, idempotent, unknown: false, unanswered: false, onSent: options.onSent,
    }
    let attempts = 0
    let pauseMs = 0
    const again = (error: unknown): boolean => {
      const { code, details, transient } = error as GristmillError
      pauseMs = backoffMs(attempts, backoff, this.#random)
      const waits = this.#patient && code === 'SAFE_MODE' && repeat && idempotent
      if (waits) until = this.#clock.mono() + pauseMs + timeoutMs
      if (call.unanswered) until = Math.max(until, startMs + (options.unansweredMs ?? 0))
      // A server marks an error as final if a retry would not change it.
      const retried =
        repeat && transient && (waits || details['final'] !== true) && (idempotent || !call.unknown)
        && this.#clock.mono() + pauseMs + leastMs < until
      if (retried && this.#clock.mono() - startMs >= waitMs) this.#onWait?.(error as GristmillError)
      return retried
    }
    try {
      return await retry(attempt => {
        attempts = attempt
        return this.#once(call, Math.min(until - this.#clock.mono(), options.tryMs ?? timeoutMs), signal)
      }, { clock: this.#clock, signal, pauseMs: () => pauseMs, again }) as ReplyOf<M>
    } catch (error) {
      throw verdict(call, error as GristmillError, attempts)
    }
  }

  /**
   * Calls a mutation whose effect must not remain when the caller aborts: a lease, a job. An abort rejects at once. If nothing was
   * sent by then, nothing happens; otherwise the call continues in the background, with retries under the same request id, and its
   * reply is passed to `undo`. If none arrives within limits.callTimeoutMs, the effect is left to its own expiry.
   */
  callOrUndo<M extends Message>(
    address: Address, message: M, request: RequestOf<M>,
    { undo, background, signal, ...options }: UndoOptions<M>,
  ): Promise<ReplyOf<M>> {
    if (!signal) return this.call(address, message, request, options)
    if (signal.aborted) return Promise.reject(abortError(signal))
    const inner = new AbortController()
    let sent = false
    const running = this.call(address, message, request, {
      ...options, signal: inner.signal,
      onSent: () => {
        sent = true
      },
    })
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        const error = abortError(signal)
        reject(error)
        if (!sent) return inner.abort(error)
        const cancel = this.#clock.after(limits.callTimeoutMs, () => inner.abort(error))
        background.add(running.then(undo).finally(cancel))
      }
      const done = (): void => signal.removeEventListener('abort', onAbort)
      signal.addEventListener('abort', onAbort, { once: true })
      running.then(
        reply => {
          done()
          resolve(reply)
        },
        (error: Error) => {
          done()
          reject(error)
        },
      )
    })
  }

  /** One attempt. Throws only GristmillErrors, and sets `call.unknown` if the outcome is unknown. */
  async #once(call: Call, ms: number, signal: AbortSignal | undefined): Promise<unknown> {
    const { address, message, body } = call
    const signed = this.#signed.has(address) || !loopback.test(address)
    const fromMs = this.#startedMs.get(address)
    const headers = signed ? this.#sign(call, fromMs) : this.#bearer
    const startedMs = this.#clock.mono()
    const running = exchange(this.#dispatcher, {
      address, path: message.path, headers, body, replyBytesMax: limits.replyBytesMax, onSent: call.onSent,
    })
    const expire = (): void => {
      if (running.sent) call.unanswered = true
      running.abort(
        new GristmillError(
          'TIMEOUT',
          `the ${call.peer} at ${address} did not answer ${message.name} within ${Math.round(ms)} ms; it may be overloaded or cut off`,
          { details: { address, message: message.name } },
        ),
      )
    }
    let cancel = this.#clock.after(ms, () => {
      // Sockets are read after timers.
      if (this.#clock.mono() - startedMs < ms + lateMs) expire()
      else cancel = this.#clock.after(lateMs, expire)
    })
    const onAbort = signal && (() => running.abort(abortError(signal)))
    if (onAbort) signal.addEventListener('abort', onAbort, { once: true })
    let outcome: Awaited<typeof running.outcome>
    try {
      outcome = await running.outcome
    } catch (error) {
      if (running.sent && message.mutation) call.unknown = true
      throw translated(error as NodeJS.ErrnoException, call, running.sent)
    } finally {
      cancel()
      if (onAbort) signal.removeEventListener('abort', onAbort)
    }
    if (outcome.status === 200) {
      try {
        return JSON.parse(outcome.text) as unknown
      } catch (error) {
        throw new GristmillError(
          'INTERNAL',
          `the ${call.peer} at ${address} answered ${message.name} with something that is not JSON; is there a proxy in between?`,
          { cause: error },
        )
      }
    }
    const fault = fromFault(outcome.status, outcome.text, `the ${call.peer} at ${address}`)
    if (fault.code === 'UNAUTHENTICATED' && fault.details.scheme === 'signed' && !signed) {
      this.#signed.add(address)
      return this.#once(call, ms, signal)
    }
    const { startedMs: begunMs } = fault.details
    if (signed && typeof begunMs === 'number' && begunMs !== fromMs && this.#signFrom(address, begunMs))
      return this.#once(call, ms, signal)
    // A server that timed out on its own work does not know the outcome of that work.
    if (fault.code === 'TIMEOUT' && message.mutation) call.unknown = true
    throw fault
  }

  /** False if the clocks differ by more than servers accept. */
  #signFrom(address: Address, startedMs: number): boolean {
    if (startedMs - this.#clock.now() > skewMs) return false
    this.#startedMs.set(address, startedMs)
    return true
  }

  #sign({ address, message, body }: Call, fromMs: number | undefined): Record<string, string> {
    if (fromMs !== undefined && fromMs <= this.#clock.now()) this.#startedMs.delete(address)
    return {
      'content-type': 'application/json', ...this.#agent,
      ...this.#credentials.sign({ method: 'POST', path: message.path, body, fromMs }),
    }
  }
}

function translated(error: NodeJS.ErrnoException, { address, message, peer }: Call, sent: boolean): GristmillError {
  if (error instanceof GristmillError) return error
  const why = error.code ?? error.message
  const details = { address, message: message.name }
  if (isExhaustion(error)) return exhausted(`this process cannot reach the ${peer} at ${address}`, error)
  if (!sent || unreachable.has(error.code ?? '')) {
    return new GristmillError('UNAVAILABLE', `cannot reach the ${peer} at ${address} (${why}); is it running, and is the address right?`, {
      cause: error, details,
    })
  }
  return new GristmillError(
    'UNAVAILABLE',
    `the connection to the ${peer} at ${address} broke before it had answered ${message.name} (${why})`,
    { cause: error, details },
  )
}

/**
 * Minimum time for a retry: with less it would time out in any case, and its TIMEOUT would hide the failure of the previous
 * attempt.
 */
export const leastTryMs = (timeoutMs: number): number => Math.min(1_000, timeoutMs / 10)

/**
 * The final error for the caller. A definite reply stands, since a retry gets the first reply; a missing reply becomes
 * OUTCOME_UNKNOWN.
 */
function verdict({ address, message, peer, unknown }: Call, failure: GristmillError, attempts: number): GristmillError {
  if (!unknown) return failure
  if (failure.code === 'ABORTED')
    return new GristmillError('ABORTED', `${failure.message}; ${message.name} had been sent and may or may not have happened`, {
      cause: failure,
    })
  if (!failure.retryable) return failure
  const tries = attempts === 1 ? 'was sent' : `was sent, in ${attempts} tries,`
  return new GristmillError(
    'OUTCOME_UNKNOWN',
    `${message.name} ${tries} to the ${peer} at ${address} and no reply came: it may or may not have happened; check, or repeat it with the same request id`,
    { cause: failure, details: { address, message: message.name } },
  )
}
