// Converts an error thrown by an attempt into the failure that is sent to the namenode: its cause and a message for the program's author.
//
//   program   the user's functions, their emitted values, a record that does not parse: it will fail again on any node.
//             `isFinal`: surely, so that no attempt follows (src/base/wronguse.ts)
//   fetch     map outputs that cannot be fetched: their map tasks run again
//   system    this node, its disk, the network: another node may succeed. With the code ENOENT: an input was replaced or removed, and no
//             node can succeed

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { AttemptId } from '../../src/base/ids.ts'
import { isWrongUse } from '../../src/base/wronguse.ts'
import type { Failure } from '../../src/protocol/fields.ts'
import { FunctionFailed, SinkFailed } from '../../src/operator/operator.ts'
import type { StackMapper } from '../../src/program/stack.ts'
import { OutputsMissing } from './fetch.ts'
import { isChangedInput } from './input.ts'
import type { Failed } from './messages.ts'
import { CheckRefused } from './outputcheck.ts'

/** Facts about the failed task. */
export interface FailedTask {
  /** Undefined: the task runs no program. */
  readonly stacks?: StackMapper | undefined
  readonly counters: Record<string, number>
}

export function toFailure(thrown: unknown, task: FailedTask | undefined): Failed {
  const failed = classify(thrown, task)
  const isFinal = failed.cause === 'program' && isWrong(thrown instanceof FunctionFailed ? thrown.cause : thrown)
  return isFinal ? { ...failed, isFinal } : failed
}

/** The encoders of keys and values throw one kind of error (src/shuffle/key.ts, value.ts), whose message begins so. */
const isWrong = (thrown: unknown): boolean =>
  isWrongUse(thrown) || (hasCode(thrown, 'EINVAL') && thrown.message.startsWith('emit was given '))

function classify(thrown: unknown, task: FailedTask | undefined): Failed {
  const counters = task?.counters ?? {}
  const made = (cause: Failed['cause'], failure: Failure, missing?: readonly AttemptId[]): Failed => ({
    kind: 'failed', cause, failure, counters, ...(missing && { missing: [...missing] }),
  })
  if (thrown instanceof SinkFailed) return made('system', { code: 'TASK_FAILED', message: thrown.message })
  if (thrown instanceof FunctionFailed) {
    if (thrown.cause instanceof SinkFailed) return toFailure(thrown.cause, task)
    const segment = segmentOf(thrown.cause)
    if (segment) return made('fetch', { code: 'TASK_FAILED', message: (thrown.cause as Error).message }, [segment])
    const { message, stack } = describe(thrown.cause, task)
    return made('program', {
      code: 'TASK_FAILED', message: thrown.key === undefined
        ? message
        : `${message} (${thrown.step === undefined ? '' : `in ${thrown.step}, `}for the key ${thrown.key})`,
      ...stack !== undefined && { stack }, ...thrown.place && { record: { path: thrown.place.path, offset: thrown.place.offset } },
    })
  }
  if (thrown instanceof CheckRefused) {
    const { stack } = thrown.cause === undefined ? { stack: undefined } : describe(thrown.cause, task)
    return made('program', {
      code: 'CHECK_REFUSED', message: `the check has refused the output: ${thrown.message}`, ...stack !== undefined && { stack },
    })
  }
  if (thrown instanceof OutputsMissing) return made('fetch', { code: 'TASK_FAILED', message: thrown.message }, thrown.attempts)
  const segment = segmentOf(thrown)
  if (segment) return made('fetch', { code: 'TASK_FAILED', message: (thrown as Error).message }, [segment])
  if (hasCode(thrown, 'PROGRAM_INVALID')) {
    const { stack } = thrown.details
    return made('program', { code: 'PROGRAM_INVALID', message: thrown.message, ...typeof stack === 'string' && { stack } })
  }
  // A record that does not parse, a file too large to be one record, a key that cannot be serialised.
  if (hasCode(thrown, 'EINVAL', 'TOO_LARGE')) {
    const { path, offset } = thrown.details
    return made('program', {
      code: 'TASK_FAILED', message: thrown.message,
      ...(typeof path === 'string' && typeof offset === 'number' && { record: { path, offset } }),
    })
  }
  if (isChangedInput(thrown)) return made('system', { code: 'ENOENT', message: thrown.message })
  if (thrown instanceof GristmillError) return made('system', { code: 'TASK_FAILED', message: thrown.message })
  // An internal error, or one thrown by the program outside of a call: the stack shows which.
  const { message, stack } = describe(thrown, task)
  return stack === undefined ? made('system', { code: 'TASK_FAILED', message }) : made('program', { code: 'TASK_FAILED', message, stack })
}

function describe(thrown: unknown, task: FailedTask | undefined): { message: string; stack: string | undefined } {
  // The message of a GristmillError is kept; the stack shows the call in the program.
  if (thrown instanceof GristmillError) return { message: thrown.message, stack: task?.stacks?.describe(thrown).stack }
  return task?.stacks?.describe(thrown) ?? { message: thrown instanceof Error ? thrown.message : String(thrown), stack: undefined }
}

/** The attempt whose map output is corrupt, which is treated like a missing one; undefined for other errors. */
function segmentOf(thrown: unknown): AttemptId | undefined {
  if (!hasCode(thrown, 'CORRUPT')) return undefined
  const { segment } = thrown.details
  return typeof segment === 'string' && /^[\w-]+\.\d+\.\d+\.\d+$/.test(segment) ? segment as AttemptId : undefined
}
