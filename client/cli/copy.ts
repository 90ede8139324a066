// Copies of many things, several at a time: put, get and cp share it. A plan is a stream of steps, made while the first
// ones already run; a step that fails is complained of, and the others go on.

import type { Context } from './context.ts'
import { plural } from './format.ts'
import type { Bar } from './progress.ts'

/** Files copied at a time, unless told. Each has its own blocks in flight; more gain nothing on one machine's disk and network. */
const filesAtATime = 4

export interface Step {
  /** What the person sees it called. */
  readonly name: string
  readonly bytes: number
  /** Calls `moved` with bytes as they are copied. */
  run(moved: (bytes: number) => void): Promise<void>
}

/** What was copied. */
export interface Copied { files: number; bytes: number }

export async function copyAll(context: Context, plan: AsyncIterable<Step>, parallel = filesAtATime): Promise<Copied> {
  const progress = await context.progress()
  const copied: Copied = { files: 0, bytes: 0 }
  let total = 0
  let moved = 0
  let bar: Bar | undefined
  const steps = plan[Symbol.asyncIterator]()
  let ended = false
  const worker = async (): Promise<void> => {
    while (!ended) {
      context.signal.throwIfAborted()
      const next = await steps.next()
      if (next.done) { ended = true; return }
      const step = next.value
      total += step.bytes
      bar ??= progress.bar(step.name, 'bytes', total)
      bar.update(moved, total)
      let mine = 0
      try {
        await step.run(bytes => {
          mine += bytes
          moved += bytes
          bar!.update(moved, total, copied.files > 0 ? plural(copied.files, 'file') : '')
        })
        copied.files++
        copied.bytes += mine
      } catch (error) {
        context.giveUpOn(step.name, error)
      }
    }
  }
  try {
    const results = await Promise.allSettled(Array.from({ length: parallel }, worker))
    const failed = results.find(result => result.status === 'rejected')
    if (failed) throw failed.reason
  } finally {
    ended = true
    progress.stop()
    await steps.return?.(undefined)
  }
  return copied
}
