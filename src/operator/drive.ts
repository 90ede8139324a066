// Main loop of a task: pushes items from the source into the operator, one at a time, and lets the sink settle between them.

import type { Operator, Sink } from './operator.ts'

/**
 * `pause` is called between items; it returns a promise when the event loop should be yielded to. If anything throws, the source is
 * closed; so it is when the operator is full.
 */
export async function drive<T>(
  source: AsyncIterable<T> | Iterable<T>, operator: Operator<T>, sink: Sink<unknown>, pause: () => Promise<void> | undefined,
): Promise<void> {
  if (Symbol.asyncIterator in source) {
    for await (const item of source) {
      const pushed = operator.push(item)
      if (pushed) await pushed
      await between(sink, pause)
      if (operator.isFull) return
    }
    return
  }
  for (const item of source) {
    const pushed = operator.push(item)
    if (pushed) await pushed
    const waiting = between(sink, pause)
    if (waiting) await waiting
    if (operator.isFull) return
  }
}

function between(sink: Sink<unknown>, pause: () => Promise<void> | undefined): Promise<void> | undefined {
  const settling = sink.settle()
  return settling ? settling.then(pause) : pause()
}
