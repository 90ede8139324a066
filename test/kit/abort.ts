// Runs a callback on abort, for test doubles. A signal that has already aborted fires no further `abort` event, so it is checked first.

/** Calls `work` when the signal aborts; immediately if it already has. */
export function onAbort(signal: AbortSignal | undefined, work: () => void): void {
  if (signal?.aborted) work()
  else signal?.addEventListener('abort', work, { once: true })
}
