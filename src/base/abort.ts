// Aborts, in one form: what an aborted call throws, and how a wait that knows no signal is made to obey one.

import { GristmillError } from './errors.ts'

/**
 * TIMEOUT if the signal's deadline passed, else ABORTED; the reason itself if it is one of our errors already. `cause` is the signal's
 * reason.
 */
export function abortError(signal: AbortSignal): GristmillError {
  const reason: unknown = signal.reason
  if (reason instanceof GristmillError) return reason
  if (reason instanceof Error && reason.name === 'TimeoutError')
    return new GristmillError('TIMEOUT', 'the deadline of the operation passed', { cause: reason })
  // A reason that the caller gave is worth telling; Node's own says only that it was aborted.
  const why =
    reason instanceof Error ? (reason.name === 'AbortError' ? '' : `: ${reason.message}`) : typeof reason === 'string' ? `: ${reason}` : ''
  return new GristmillError('ABORTED', `the operation was aborted${why}`, { cause: reason })
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal)
}

/** The result of `work`, or the abort of `signal`, whichever comes first. `work` goes on after an abort and has to see to its own end. */
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
