// Calling a message. What may be repeated is repeated until the deadline: everything that was never sent, everything that
// changes nothing, and mutations, whose request id makes a repeat harmless. When the deadline comes and a mutation was sent
// without an answer, the caller is told just that (OUTCOME_UNKNOWN), never that it failed.

import type { Dispatcher } from 'undici'
import { abortError } from '../base/abort.ts'
import type { Background } from '../base/background.ts'
import { codes, GristmillError, type ErrorCode } from '../base/errors.ts'
import { exhausted, isExhaustion } from '../base/exhaustion.ts'
import type { Address } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { version } from '../base/version.ts'
import { backoffMs, type Backoff } from '../base/backoff.ts'
import type { Clock } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import type { Message, ReplyOf, RequestOf } from '../protocol/message.ts'
import type { Credentials } from './auth.ts'
import { exchange } from './exchange.ts'
import { fromFault } from './fault.ts'

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  /** For the whole call with its repeats. limits.callTimeoutMs unless told; a waiting message gets limits.longPollMs more. */
  readonly timeoutMs?: number | undefined
  /** For one try; then the next one starts. As long as the whole call unless told. */
  readonly tryMs?: number | undefined
  /** false: one try only. */
  readonly retry?: boolean | undefined
  /** Who is called, for messages: "namenode", "datanode". */
  readonly peer?: string | undefined
  /** Called when the request may first have left this process. */
  readonly onSent?: (() => void) | undefined
}

export interface UndoOptions<M extends Message> extends CallOptions {
  /** Takes the effect back. Gets the answer of a call whose caller has given up. */
  readonly undo: (reply: ReplyOf<M>) => Promise<unknown>
  /** Takes over what is left to do then. */
  readonly background: Pick<Background, 'add'>
}

export interface CallerOptions {
  readonly dispatcher: Dispatcher
  readonly credentials: Credentials
  readonly clock: Clock
  readonly random: Random
  /** Who calls, for logs and whatever stands between: a node's id; `client` unless told. */
  readonly who?: string | undefined
  /**
   * Waits for as long as a namenode is in safe mode, whatever the deadline; only the signal ends that. For work that nobody looks after.
   */
  readonly patient?: boolean | undefined
}

/** A timer that fires so much later than it should says that this process stood still: the answer may have come, and lie unread. */
const lateMs = 250

const backoff: Backoff = { firstMs: 25, maxMs: 2_000 }

/** The server answered, and asking the same again would get the same answer: only the caller can do something about these. */
const final = new Set<ErrorCode>(['UNREGISTERED', 'BLOCK_MISSING', 'TASK_FAILED'])

/** Nothing was sent: the connection could not be had. */
const unreachable = new Set([
  'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'EADDRNOTAVAIL', 'UND_ERR_CONNECT_TIMEOUT',
])

const loopback = /^(?:127\.\d+\.\d+\.\d+|localhost|\[::1\]):/

interface Call {
  readonly address: Address
  readonly message: Message
  readonly body: string
  readonly peer: string
  /** Is a repeat after a lost answer harmless? */
  readonly repeatable: boolean
  /** A mutation was sent and its answer never came. */
  unknown: boolean
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
  /** Loopback addresses whose servers listen on other addresses too, and so want signatures. */
  readonly #signed = new Set<Address>()

  constructor({ dispatcher, credentials, clock, random, who = 'client', patient = false }: CallerOptions) {
    this.#dispatcher = dispatcher
    this.#credentials = credentials
    this.#patient = patient
    this.#clock = clock
    this.#random = random
    this.#agent = { 'user-agent': `gristmill/${version} (${who})` }
    this.#bearer = { 'content-type': 'application/json', ...this.#agent, ...credentials.bearer() }
  }

  /** In whose name it calls. */
  get user(): string { return this.#credentials.user }

  /** Headers that let this caller open a wire at `path`, once: wires are few, so they are always signed. */
  admission(path: string): Record<string, string> {
    return { ...this.#agent, ...this.#credentials.sign({ method: 'GET', path, body: '' }) }
  }

  async call<M extends Message>(address: Address, message: M, request: RequestOf<M>, options: CallOptions = {}): Promise<ReplyOf<M>> {
    const { signal, retry = true, peer = 'server' } = options
    if (signal?.aborted) throw abortError(signal)
    const timeoutMs = options.timeoutMs ?? limits.callTimeoutMs + (message.waits ? limits.longPollMs : 0)
    const leastMs = leastTryMs(timeoutMs)
    let until = this.#clock.mono() + timeoutMs
    const repeatable = !message.mutation || (request as { requestId?: unknown }).requestId !== undefined
    const call: Call = { address, message, body: JSON.stringify(request), peer, repeatable, unknown: false, onSent: options.onSent }
    for (let attempt = 1; ; attempt++) {
      let failure: GristmillError
      try {
        return await this.#once(call, Math.min(until - this.#clock.mono(), options.tryMs ?? timeoutMs), signal) as ReplyOf<M>
      } catch (error) {
        failure = error as GristmillError
      }
      const pause = backoffMs(attempt, backoff, this.#random)
      const waits = this.#patient && failure.code === 'SAFE_MODE' && retry && call.repeatable
      if (waits) until = this.#clock.mono() + pause + timeoutMs
      // Some servers know that it will not be otherwise in a moment.
      const again =
        retry
        && failure.retryable
        && !final.has(failure.code)
        && (waits || failure.details['final'] !== true)
        && (call.repeatable || !call.unknown)
      if (!again || signal?.aborted || this.#clock.mono() + pause + leastMs >= until) throw verdict(call, failure, attempt)
      try {
        await this.#clock.sleep(pause, signal)
      } catch {
        throw verdict(call, abortError(signal!), attempt)
      }
    }
  }

  /**
   * A mutation whose effect must not stay when its caller gives up: a lease, a job. An abort is told at once. If nothing was sent by
   * then, nothing happens; otherwise the answer is waited for in the background, asking again with the same request id while it is
   * lost, and given to `undo`. If none comes within limits.callTimeoutMs, the effect is left to its own expiry.
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

  /** One try. Throws GristmillErrors only, and notes in `call` if its outcome is unknown. */
  async #once(call: Call, ms: number, signal: AbortSignal | undefined): Promise<unknown> {
    const { address, message, body } = call
    const signed = this.#signed.has(address) || !loopback.test(address)
    const headers = signed ? this.#sign(call) : this.#bearer
    const startedMs = this.#clock.mono()
    const running = exchange(this.#dispatcher, {
      address, path: message.path, headers, body, replyBytesMax: limits.replyBytesMax, onSent: call.onSent,
    })
    const expire = (): void =>
      running.abort(
        new GristmillError(
          'TIMEOUT',
          `the ${call.peer} at ${address} did not answer ${message.name} within ${Math.round(ms)} ms; it may be overloaded or cut off`,
          { details: { address, message: message.name } },
        ),
      )
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
    // A server that gave up waiting for its own work does not know how that work ends.
    if (fault.code === 'TIMEOUT' && message.mutation) call.unknown = true
    throw fault
  }

  #sign({ message, body }: Call): Record<string, string> {
    return { 'content-type': 'application/json', ...this.#agent, ...this.#credentials.sign({ method: 'POST', path: message.path, body }) }
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
 * Time that a repeated try needs: one that has less times out, whatever the server does, and its TIMEOUT would hide why the last try
 * failed.
 */
export const leastTryMs = (timeoutMs: number): number => Math.min(1_000, timeoutMs / 10)

/** What the caller is told in the end. Any definite answer stands, for a repeat gets the first answer; no answer does not. */
function verdict({ address, message, peer, unknown }: Call, failure: GristmillError, attempts: number): GristmillError {
  if (!unknown) return failure
  if (failure.code === 'ABORTED')
    return new GristmillError('ABORTED', `${failure.message}; ${message.name} had been sent and may or may not have happened`, {
      cause: failure,
    })
  if (!codes[failure.code].retryable) return failure
  const tries = attempts === 1 ? 'was sent' : `was sent, in ${attempts} tries,`
  return new GristmillError(
    'OUTCOME_UNKNOWN',
    `${message.name} ${tries} to the ${peer} at ${address} and no answer came: it may or may not have happened; look, or repeat it with the same request id`,
    { cause: failure, details: { address, message: message.name } },
  )
}
