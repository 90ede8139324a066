// Runs one call of the file API: reads its options, does its work, obeys its signal. Errors have the form of node:fs: a POSIX code,
// the failed call, and its path.
// Invariant: an abort rejects the call at once, whatever the work waits for; the work sees the same signal and ends by itself. The
// exception is work with temporary local files (`performLocally`): the call waits until they are removed, which depends on this machine
// only.

import { abortable, throwIfAborted } from '../../src/base/abort.ts'
import { asError, GristmillError } from '../../src/base/errors.ts'
import type { CallOptions } from './arguments.ts'

/**
 * Reads the options, then runs the work with them. Errors of either get `details.syscall` and, unless the server named a better
 * path, `details.path`.
 */
export function perform<O extends CallOptions, T>(
  syscall: string, path: unknown, options: () => O, work: (options: O) => Promise<T>,
): Promise<T> {
  return telling(syscall, path, async () => {
    const read = options()
    throwIfAborted(read.signal)
    return abortable(work(read), read.signal)
  })
}

/**
 * Like `perform`, for work with temporary local files: after an abort, rejects once those files are removed. REQUIRES: everything
 * that the work waits for obeys the signal.
 */
export function performLocally<O extends CallOptions, T>(
  syscall: string, path: unknown, options: () => O, work: (options: O) => Promise<T>,
): Promise<T> {
  return telling(syscall, path, async () => {
    const read = options()
    throwIfAborted(read.signal)
    try {
      return await work(read)
    } catch (error) {
      throwIfAborted(read.signal)
      throw error
    }
  })
}

/**
 * Wraps an error of the caller's own code (a source, a callback) during a call: the caller gets that error unchanged, as from
 * node:fs.
 */
export class SourceFailure {
  readonly error: unknown

  constructor(error: unknown) { this.error = error }
}

async function telling<T>(syscall: string, path: unknown, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof SourceFailure) throw thrown.error
    throw described(thrown, syscall, path)
  }
}

/** Runs one step of a call that has several, such as one page of a listing. */
export function during<T>(syscall: string, path: unknown, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  return perform(syscall, path, () => ({ signal }), work)
}

export function described(thrown: unknown, syscall: string, path: unknown): Error {
  // Errors of node:fs concern local files and carry all these details already.
  if (!(thrown instanceof GristmillError) && thrown instanceof Error && 'syscall' in thrown) return thrown
  const error = asError(thrown)
  if (error.details['syscall'] !== undefined) return error
  return new GristmillError(error.code, error.message, {
    cause: error.cause ?? error,
    details: { ...(typeof path === 'string' && { path }), ...error.details, syscall },
  })
}
