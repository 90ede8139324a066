// Aborts in one form: the error that an aborted call throws, and a wrapper that makes any promise obey a signal.

import { GristmillError } from './errors.ts'

/**
 * TIMEOUT if the signal's deadline passed, else ABORTED; the reason itself if it is a GristmillError. `cause` is the signal's
 * reason.
 */
export function abortError(signal: AbortSignal): GristmillError {
  const reason: unknown = signal.reason
  if (reason instanceof GristmillError) return reason
  if (reason instanceof Error && reason.name === 'TimeoutError')
    return new GristmillError('TIMEOUT', 'the deadline of the operation passed', { cause: reason })
  // The caller's own reason is added to the message; Node's default reason says only that the call was aborted.
  const why =
    reason instanceof Error ? (reason.name === 'AbortError' ? '' : `: ${reason.message}`) : typeof reason === 'string' ? `: ${reason}` : ''
  return new GristmillError('ABORTED', `the operation was aborted${why}`, { cause: reason })
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal)
}

/** The result of `work`, or an error as soon as `signal` aborts. After an abort `work` continues, and must end by itself. */
export function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortError(signal))
    const done = (): void => signal.removeEventListener('abort', onAbort)
    work.then(value => { done(); resolve(value) }, (error: Error) => { done(); reject(error) })
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
}
