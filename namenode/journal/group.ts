// Decides a group of operations that become durable together: each operation runs on the state that the ones before it leave;
// accepted operations become frames of the log. Deterministic: the same group, time and state give the same edits and frames.

import { AssertionFailed } from '../../src/base/assert.ts'
import { asError, GristmillError } from '../../src/base/errors.ts'
import type { RequestId } from '../../src/base/ids.ts'
import { MiB } from '../../src/base/units.ts'
import type { Log } from '../../src/ports/log.ts'
import { encodeFrame } from './journalframe.ts'
import type { AnyMutation } from './operation.ts'
import type { JournalState } from './state.ts'

/** A submitted operation with the promise of its caller. */
export interface PendingOperation {
  readonly mutation: AnyMutation
  readonly operation: object
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
  /** Promise that the caller awaits. */
  readonly done: Promise<unknown>
  result: unknown
  error: unknown
}

/** A frame is closed when it exceeds this size. */
const frameBytes = 16 * MiB

interface Deciding {
  readonly timeMs: number
  readonly log: Log
  /** Damage found while the store was read, if any: no operation of the group may then be applied. */
  readonly damage: () => GristmillError | undefined
  /** Called after each operation; if true, the remaining operations are left for the next group. */
  readonly enough?: () => boolean
}

/**
 * Sets each operation's result or error; returns the frames of the accepted operations and the number of decided operations. REQUIRES:
 * an open transaction.
 */
export function decideGroup(
  state: JournalState, group: readonly PendingOperation[], { timeMs, log, damage, enough }: Deciding,
): { frames: Buffer[]; decided: number } {
  const frames: Buffer[] = []
  let operations: string[] = []
  let bytes = 0
  let decided = 0
  let seq = state.begin()
  const close = (): void => {
    if (operations.length === 0) return
    frames.push(encodeFrame({ seq, epoch: state.counters.epoch, timeMs, operations }))
    seq += operations.length
    operations = []
    bytes = 0
  }
  for (const each of group) {
    if (decided > 0 && enough?.()) break
    decided++
    const { mutation, operation } = each
    each.error = undefined
    try {
      const kept = answerBefore(state, each)
      if (kept) {
        each.result = kept.result
        continue
      }
      each.result = state.decide(mutation, operation, timeMs)
    } catch (error) {
      const damaged = damage()
      if (damaged) throw damaged
      // A refusal or an internal error: it concerns this operation only. Its edits are discarded.
      each.error = error instanceof AssertionFailed ? asError(error) : error
      if (!(error instanceof GristmillError))
        log.error('an operation failed with an unexpected error; its edits are discarded', { kind: mutation.kind, error })
      continue
    }
    state.write()
    const json = JSON.stringify([mutation.kind, operation])
    operations.push(json)
    bytes += json.length
    if (bytes > frameBytes) close()
  }
  close()
  state.finish()
  return { frames, decided }
}

/** The recorded answer if this request was made before; otherwise undefined. */
export function answerBefore(
  state: JournalState,
  { mutation, operation }: Pick<PendingOperation, 'mutation' | 'operation'>,
): { readonly result: unknown } | undefined {
  const { requestId } = operation as { requestId?: RequestId }
  const kept = requestId && state.keptAnswer(requestId)
  return kept ? { result: mutation.recall ? mutation.recall(kept.value, operation as never) : kept.value } : undefined
}
