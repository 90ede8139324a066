// Errors of file calls, in the way node:fs has them: a POSIX code, the call that failed, and the path that it failed on.

import { asError, GristmillError } from '../../src/base/errors.ts'

/** Does the work; what it throws also names `details.syscall` and, unless the server named a better one, `details.path`. */
export async function during<T>(syscall: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    throw described(thrown, syscall, path)
  }
}

export function described(thrown: unknown, syscall: string, path: string): unknown {
  // Node's own errors are about local files and say all that themselves.
  if (!(thrown instanceof GristmillError) && thrown instanceof Error && 'syscall' in thrown) return thrown
  const error = asError(thrown)
  if (error.details['syscall'] !== undefined) return error
  return new GristmillError(error.code, error.message, { cause: error.cause ?? error, details: { path, ...error.details, syscall } })
}
