// Rejections that nobody handles. What a dead process leaves behind is nobody's; anything else is an error of the product, and is
// told to the clusters that run and to whoever listened before (a test runner).

import { Dead } from './kernel.ts'

type Listener = (thrown: unknown, promise: Promise<unknown>) => void

const clusters = new Set<(thrown: unknown) => void>()
let others: Listener[] = []

function hear(thrown: unknown, promise: Promise<unknown>): void {
  for (let at: unknown = thrown; at instanceof Error; at = at.cause) if (at instanceof Dead) return
  for (const tell of clusters) tell(thrown)
  for (const other of others) other(thrown, promise)
}

/** Until the returned function is called. */
export function hearUnhandled(tell: (thrown: unknown) => void): () => void {
  const own = (thrown: unknown): void => tell(thrown)
  if (clusters.size === 0) {
    others = process.rawListeners('unhandledRejection') as Listener[]
    process.removeAllListeners('unhandledRejection')
    process.on('unhandledRejection', hear)
  }
  clusters.add(own)
  return () => {
    if (!clusters.delete(own) || clusters.size > 0) return
    process.off('unhandledRejection', hear)
    for (const other of others) process.on('unhandledRejection', other)
  }
}
