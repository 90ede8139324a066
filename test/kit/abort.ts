// For what stands in for a part of the product: a signal that has aborted already tells nobody of it any more.

/** Calls `work` when the signal aborts; at once if it has. */
export function onAbort(signal: AbortSignal | undefined, work: () => void): void {
  if (signal?.aborted) work()
  else signal?.addEventListener('abort', work, { once: true })
}
