// Runs the steps of a copy (walk.ts), several at a time, while the walk goes on. Small files travel together in one call, so
// many more of them are under way at a time than of others.
// INVARIANT: after a failure no further step begins, and the caller learns it when those that run have ended.

import { Semaphore } from '../../src/base/queue.ts'
import type { CopyStep } from './walk.ts'

/** Small files under way: a few full calls, and one that is being gathered. */
const smallAtATime = 256

interface StepsOptions {
  /** Number of other files copied at a time. */
  readonly parallel: number
  /** Copies one file; an error ends the copy. */
  readonly run: (step: CopyStep) => Promise<void>
}

export async function runSteps(steps: AsyncGenerator<CopyStep, void, undefined>, { parallel, run }: StepsOptions): Promise<void> {
  const slots = { small: new Semaphore(smallAtATime), other: new Semaphore(parallel) }
  const running = new Set<Promise<void>>()
  const failures: unknown[] = []
  try {
    for await (const step of steps) {
      const release = await slots[step.small ? 'small' : 'other'].acquire()
      if (failures.length > 0) {
        release()
        break
      }
      const work = run(step).catch((error: unknown) => { failures.push(error) }).finally(() => {
        release()
        running.delete(work)
      })
      running.add(work)
    }
  } finally {
    await Promise.all(running)
  }
  if (failures.length > 0) throw failures[0]
}
