// Calls to an embedded namenode, which may move to another process. The caller uses one fixed name; it is resolved to the current
// address at each attempt. A call that did not reach a namenode is retried at its new address: either nothing of it happened, or
// its request id yields the first reply. The time of a takeover does not count against the call's deadline.

import { abortable } from '../../src/base/abort.ts'
import { hasCode, type GristmillError } from '../../src/base/errors.ts'
import { address, type Address } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { backoffMs } from '../../src/base/backoff.ts'
import { retry } from '../../src/base/retry.ts'
import type { Message, ReplyOf, RequestOf } from '../../src/protocol/message.ts'
import { Caller, leastTryMs, type RpcOptions, type CallerOptions } from '../../src/rpc/call.ts'
import type { Embedded } from './embedded.ts'

/** Fixed name of the embedded namenode in this process. */
export const embeddedNamenode: Address = address('embedded:8620')

const backoff = { firstMs: 10, maxMs: 500 }
/** Upper bound of a takeover: a call that met the end of the old owner outlives it. */
const takeOverMs = 30_000

/** Messages that need a registered datanode. */
const needsBlocks = /^(?:admin\.status|safety\.fsck|writing\.(?:create|allocate)|namespace\.locate|job\.(?:submit|watch|logs))$/

export class EmbeddedCaller extends Caller {
  readonly #options: CallerOptions
  readonly #embedded: Embedded

  constructor(options: CallerOptions, embedded: Embedded) {
    super(options)
    this.#options = options
    this.#embedded = embedded
  }

  override async call<M extends Message>(to: Address, message: M, request: RequestOf<M>, options: RpcOptions = {}): Promise<ReplyOf<M>> {
    if (to !== embeddedNamenode) return super.call(to, message, request, options)
    const { clock, random } = this.#options
    const { signal, retry: repeat = true } = options
    const idempotent = !message.mutation || (request as { requestId?: unknown }).requestId !== undefined
    const usual = options.timeoutMs ?? limits.callTimeoutMs + (message.waits ? limits.longPollMs : 0)
    let until = clock.mono() + Math.max(usual, repeat ? takeOverMs : 0)
    let answerBy = clock.mono() + (options.unansweredMs ?? 0)
    const leastMs = leastTryMs(usual)
    /** Pause before the next try; undefined if the failure is final, as one of the embedded cluster itself is. */
    let pauseMs: number | undefined
    return retry(async attempt => {
      pauseMs = undefined
      const from = clock.mono()
      // Both promises are shared by all calls and take no signal.
      const current = await abortable(this.#embedded.address(), signal)
      if (needsBlocks.test(message.name)) await abortable(this.#embedded.ready(), signal)
      until += clock.mono() - from
      answerBy += clock.mono() - from
      try {
        return await super.call(current, message, request, {
          ...options,
          timeoutMs: Math.min(usual, Math.max(leastMs, until - clock.mono())),
          retry: false,
        })
      } catch (error) {
        const { code, details, transient } = error as GristmillError
        if (hasCode(error, 'TIMEOUT', 'OUTCOME_UNKNOWN')) until = Math.max(until, answerBy)
        // Also if this call is not repeated: the next one looks for the owner again, which may be another process by now.
        if (hasCode(error, 'UNAVAILABLE', 'TIMEOUT', 'OUTCOME_UNKNOWN')) this.#embedded.lost(current)
        // Without a deadline for unanswered calls, a TIMEOUT has used up the time of the call.
        const isOver = code === 'TIMEOUT' && options.unansweredMs === undefined
        const mayRepeat = repeat && idempotent && (transient || code === 'OUTCOME_UNKNOWN') && !isOver
        if (!mayRepeat || details['final'] === true || signal?.aborted) throw error
        const pause = backoffMs(attempt, backoff, random)
        if (clock.mono() + pause + leastMs >= until) throw error
        // SAFE_MODE: the namenode waits for its datanode, which is started on demand. If the datanode cannot start, waiting is
        // useless.
        if (code === 'SAFE_MODE') await abortable(this.#embedded.ready(), signal)
        pauseMs = pause
        throw error
      }
    }, { clock, signal, pauseMs: () => pauseMs!, again: () => pauseMs !== undefined })
  }
}
