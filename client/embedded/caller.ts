// Calls to a namenode that may move. The rest of this process knows it by one name that never changes; here it becomes the
// address of the moment. A call that reached no namenode is made again, where the namenode is then: nothing of it can have happened,
// or its request id gives the first answer. The time in which another process takes over is not taken from the call's own.

import { abortable } from '../../src/base/abort.ts'
import { hasCode } from '../../src/base/errors.ts'
import { address, type Address } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { backoffMs } from '../../src/base/backoff.ts'
import type { Message, ReplyOf, RequestOf } from '../../src/protocol/message.ts'
import { Caller, leastTryMs, type CallOptions, type CallerOptions } from '../../src/rpc/call.ts'
import type { Embedded } from './embedded.ts'

/** What everybody in this process calls the embedded namenode. */
export const embeddedNamenode: Address = address('embedded:8620')

const backoff = { firstMs: 10, maxMs: 500 }
/** A new owner needs this long at worst: a call that met the end of the old one outlives it. */
const takeOverMs = 30_000

/** Messages that make sense only where there is a datanode. */
const needsBlocks = /^(?:admin\.status|safety\.fsck|writing\.(?:create|allocate)|namespace\.locate|job\.(?:submit|watch|logs))$/

export class EmbeddedCaller extends Caller {
  readonly #options: CallerOptions
  readonly #embedded: Embedded

  constructor(options: CallerOptions, embedded: Embedded) {
    super(options)
    this.#options = options
    this.#embedded = embedded
  }

  override async call<M extends Message>(to: Address, message: M, request: RequestOf<M>, options: CallOptions = {}): Promise<ReplyOf<M>> {
    if (to !== embeddedNamenode) return super.call(to, message, request, options)
    const { clock, random } = this.#options
    const { signal, retry = true } = options
    const repeatable = !message.mutation || (request as { requestId?: unknown }).requestId !== undefined
    const usual = options.timeoutMs ?? limits.callTimeoutMs + (message.waits ? limits.longPollMs : 0)
    let until = clock.mono() + Math.max(usual, retry ? takeOverMs : 0)
    const leastMs = leastTryMs(usual)
    for (let attempt = 1; ; attempt++) {
      const from = clock.mono()
      // Both are shared by all calls, and know no signal.
      const current = await abortable(this.#embedded.address(), signal)
      if (needsBlocks.test(message.name)) await abortable(this.#embedded.ready(), signal)
      until += clock.mono() - from
      try {
        return await super.call(current, message, request, {
          ...options,
          timeoutMs: Math.min(usual, Math.max(leastMs, until - clock.mono())),
          retry: false,
        })
      } catch (error) {
        const gone = hasCode(error, 'UNAVAILABLE', 'OUTCOME_UNKNOWN')
        const later = hasCode(error, 'OVERLOADED', 'SAFE_MODE') && error.details['final'] !== true
        if (!retry || !repeatable || !(gone || later) || signal?.aborted) throw error
        const pause = backoffMs(attempt, backoff, random)
        if (clock.mono() + pause + leastMs >= until) throw error
        if (gone) this.#embedded.lost(current)
        // It waits for its datanode, which is not started for names alone. If that cannot start, the wait is in vain.
        if (hasCode(error, 'SAFE_MODE')) await abortable(this.#embedded.ready(), signal)
        await abortable(clock.sleep(pause, signal), signal)
      }
    }
  }
}
