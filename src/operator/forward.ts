// Passes a sequence of rows to a step, in order, and waits where the step asks for it. The sequence is closed if the step fails.

import type { Push } from './operator.ts'

export function forward<Row>(rows: Iterable<Row>, push: Push<Row>): Promise<void> | undefined {
  const iterator = rows[Symbol.iterator]()
  let isDone = false
  try {
    for (;;) {
      const item = iterator.next()
      if (item.done) {
        isDone = true
        return undefined
      }
      const waiting = push(item.value)
      if (!waiting) continue
      isDone = true
      return rest(iterator, waiting, push)
    }
  } finally {
    if (!isDone) iterator.return?.()
  }
}

async function rest<Row>(iterator: Iterator<Row>, first: Promise<void>, push: Push<Row>): Promise<void> {
  let isDone = false
  try {
    await first
    for (;;) {
      const item = iterator.next()
      if (item.done) {
        isDone = true
        return
      }
      const waiting = push(item.value)
      if (waiting) await waiting
    }
  } finally {
    if (!isDone) iterator.return?.()
  }
}
