// Unhandled promise rejections during a simulation. Those left by a dead process are ignored; all others are errors of the product and go
// to the running clusters and to the earlier listeners (those of a test runner).

import { Dead } from './kernel.ts'

type Listener = (thrown: unknown, promise: Promise<unknown>) => void

const clusters = new Set<(thrown: unknown) => void>()
let others: Listener[] = []

function hear(thrown: unknown, promise: Promise<unknown>): void {
  for (let at: unknown = thrown; at instanceof Error; at = at.cause) if (at instanceof Dead) return
  for (const tell of clusters) tell(thrown)
  for (const other of others) other(thrown, promise)
}

/** Listens until the returned function is called. */
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
