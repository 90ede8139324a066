// Operations that become durable together: each is decided on the state that the ones before it leave, and those that are not
// refused become frames of the log. The same group at the same time on the same state gives the same edits and the same frames.

import { AssertionFailed } from '../../src/base/assert.ts'
import { asError, GristmillError } from '../../src/base/errors.ts'
import type { RequestId } from '../../src/base/ids.ts'
import { MiB } from '../../src/base/units.ts'
import type { Log } from '../../src/ports/log.ts'
import { encodeFrame } from './frame.ts'
import type { AnyMutation } from './operation.ts'
import type { JournalState } from './state.ts'

/** An operation that was submitted, and whoever waits for its outcome. */
export interface PendingOperation {
  readonly mutation: AnyMutation
  readonly operation: object
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
  /** What the caller waits for. */
  readonly done: Promise<unknown>
  result: unknown
  error: unknown
}

/** A frame is closed when it has this many bytes. */
const frameBytes = 16 * MiB

export interface Deciding {
  readonly timeMs: number
  readonly log: Log
  /** What was found wrong with the store while it was read, if anything: then nothing of the group may happen. */
  readonly damage: () => GristmillError | undefined
  /** Asked behind each operation: those after it are left for the next group. */
  readonly enough?: () => boolean
}

/**
 * Notes each operation's outcome and gives the frames of those that succeeded, and how many were decided. Only inside of the transaction.
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
      // A refusal, or a mistake of ours: it concerns this operation, none of whose edits happened; the state is as it was.
      each.error = error instanceof AssertionFailed ? asError(error) : error
      if (!(error instanceof GristmillError))
        log.error('an operation failed for a reason that nobody foresaw; nothing of it happened', { kind: mutation.kind, error })
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

/** What a request was answered that is made again. */
export function answerBefore(
  state: JournalState,
  { mutation, operation }: Pick<PendingOperation, 'mutation' | 'operation'>,
): { readonly result: unknown } | undefined {
  const { requestId } = operation as { requestId?: RequestId }
  const kept = requestId && state.keptAnswer(requestId)
  return kept ? { result: mutation.recall ? mutation.recall(kept.value, operation as never) : kept.value } : undefined
}
