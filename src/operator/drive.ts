// Drives a task: items from the source through the operator, one at a time, the sink settling between them.

import type { Operator, Sink } from './operator.ts'

/** Groups are small: they are looked after in handfuls. */
const itemsAtOnce = 32

/**
 * `pause` is asked now and then between items; it returns a promise when it is time to let the process do other work.
 * Ends the source early when something throws.
 */
export async function drive<T>(
  source: AsyncIterable<T> | Iterable<T>, operator: Operator<T>, sink: Sink<unknown>, pause: () => Promise<void> | undefined,
): Promise<void> {
  if (Symbol.asyncIterator in source) {
    for await (const item of source) {
      const pushed = operator.push(item)
      if (pushed) await pushed
      await between(sink, pause)
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
  }
}

function between(sink: Sink<unknown>, pause: () => Promise<void> | undefined): Promise<void> | undefined {
  const settling = sink.settle()
  return settling ? settling.then(pause) : pause()
}
