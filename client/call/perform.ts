// One call of the file API: its options are read, its work done, its signal obeyed. Errors come in the way node:fs has them: a POSIX
// code, the call that failed, and the path that it failed on.
// Invariant: an abort is told at once, whatever the work is waiting for; the work sees the same signal and ends by itself. Work that has
// local files to remove (`performLocally`) is waited for: it waits for nothing but this machine then.

import { abortable, throwIfAborted } from '../../src/base/abort.ts'
import { asError, GristmillError } from '../../src/base/errors.ts'

interface Signalled { readonly signal?: AbortSignal | undefined }

/**
 * Reads the options, then does the work with them. What either throws also names `details.syscall` and, unless the server named a better
 * one, `details.path`.
 */
export function perform<O extends Signalled, T>(
  syscall: string, path: unknown, options: () => O, work: (options: O) => Promise<T>,
): Promise<T> {
  return telling(syscall, path, async () => {
    const read = options()
    throwIfAborted(read.signal)
    return abortable(work(read), read.signal)
  })
}

/**
 * As `perform`, for work with temporary local files: an abort is told when they are gone. REQUIRES: all that the work waits for obeys the
 * signal.
 */
export function performLocally<O extends Signalled, T>(
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

/** Something of the caller's own failed while the call used it: the caller gets that error itself, as from node:fs. */
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

/** One step of a call that has several, like a page of a listing. */
export function during<T>(syscall: string, path: unknown, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  return perform(syscall, path, () => ({ signal }), work)
}

export function described(thrown: unknown, syscall: string, path: unknown): Error {
  // Node's own errors are about local files and say all that themselves.
  if (!(thrown instanceof GristmillError) && thrown instanceof Error && 'syscall' in thrown) return thrown
  const error = asError(thrown)
  if (error.details['syscall'] !== undefined) return error
  return new GristmillError(error.code, error.message, {
    cause: error.cause ?? error,
    details: { ...(typeof path === 'string' && { path }), ...error.details, syscall },
  })
}
