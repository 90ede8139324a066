// Main loop of a task: pushes items from the source into the operator, one at a time, and lets the sink settle between them.

import type { Operator, Sink } from './operator.ts'

/** Groups are small: `pause` is called after every 32 of them. */
const itemsAtOnce = 32

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
  let count = 0
  for (const item of source) {
    const pushed = operator.push(item)
    if (pushed) await pushed
    if (++count % itemsAtOnce === 0 || pushed) await between(sink, pause)
    else {
      const settling = sink.settle()
      if (settling) await settling
    }
    if (operator.isFull) return
  }
}

function between(sink: Sink<unknown>, pause: () => Promise<void> | undefined): Promise<void> | undefined {
  const settling = sink.settle()
  return settling ? settling.then(pause) : pause()
}
