// Tells when a function of the program waits for a promise that nothing can settle. Such a task ends only with its time limit, if it has
// one.
//
// A wait is *stalled* while the program has nothing in flight that could call back: no timer, request, connection, server, watch, process,
// thread or message port, whichever function, task or job of the process has started it. Idle connections and intervals count as in
// flight, since the promise may wait for them: a wait that they might end is never told. What the executor itself has open does not count.
// The note comes after ten seconds without a look that found anything, and again when the wait is ten times as long.
//
// Seconds are counted by the looks and not by the clock: a process that was paused has not waited.

import { formatDuration } from '../../src/base/units.ts'
import { unbound } from '../../src/plan/mapreduce.ts'
import type { StepNode, UserFunction } from '../../src/plan/node.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Started } from '../../src/ports/started.ts'
import type { StackMapper } from '../../src/program/stack.ts'

/** A function of the program that may wait, with the place of its source. */
export interface AwaitedFunction { readonly name: string; readonly place: string | undefined }

interface StallOptions {
  readonly clock: Clock
  readonly started: Started
  /** Writes to the attempt's log. */
  readonly note: (text: string) => void
}

const lookMs = 1_000
const firstNoteMs = 10_000

export class StallWatch {
  readonly #options: StallOptions
  /** Functions of the call that is waited for; undefined between two calls. */
  #waiting: (() => readonly AwaitedFunction[]) | undefined
  #stalledMs = 0
  #noteAtMs = firstNoteMs
  #cancel: (() => void) | undefined
  #closed = false

  constructor(options: StallOptions) { this.#options = options }

  /** Waits for what a call of the program has returned. `functions` are those that the call may wait for. One call at a time. */
  async during<T>(returned: PromiseLike<T>, functions: () => readonly AwaitedFunction[]): Promise<T> {
    this.#waiting = functions
    this.#cancel ??= this.#options.clock.after(lookMs, () => this.#look())
    try {
      return await returned
    } finally {
      this.#waiting = undefined
      this.#restart()
    }
  }

  close(): void {
    this.#closed = true
    this.#cancel?.()
  }

  #restart(): void {
    this.#stalledMs = 0
    this.#noteAtMs = firstNoteMs
  }

  #look(): void {
    const { clock, started, note } = this.#options
    this.#cancel = this.#closed ? undefined : clock.after(lookMs, () => this.#look())
    if (!this.#waiting || started.unseen || started.pending().length > 0) return this.#restart()
    this.#stalledMs += lookMs
    if (this.#stalledMs < this.#noteAtMs) return
    this.#noteAtMs *= 10
    note(stalledText(this.#waiting(), this.#stalledMs))
  }
}

/** Functions of these steps that may return a promise. */
export function waitersOf(steps: readonly StepNode[], functions: readonly UserFunction[], stacks: StackMapper): AwaitedFunction[] {
  const found: AwaitedFunction[] = []
  for (const step of steps) {
    if (step.kind === 'validate') found.push({ name: "the input's schema", place: undefined })
    if (step.kind === 'map' || step.kind === 'reduce') found.push(awaited(step.kind, functions[step.fn]!, stacks))
    if (step.kind === 'partition') found.push(awaited('mapPartitions', functions[step.fn]!, stacks))
    if (step.kind === 'each' && step.op === 'mapAsync') found.push(awaited('mapAsync', functions[step.fn]!, stacks))
  }
  return found
}

export const awaited = (name: string, fn: UserFunction, stacks: StackMapper): AwaitedFunction =>
  ({ name, place: stacks.placeOf(unbound(fn)) })

function stalledText(functions: readonly AwaitedFunction[], waitedMs: number): string {
  const names = functions.map(({ name }) => name).join(' or ')
  return [
    `Note: ${names} has waited for ${formatDuration(waitedMs)} for a promise, and the program has nothing open that could settle it: `
      + 'no timer, request, connection, process, thread or other handle; look for a callback that is never called, or an event that was over '
      + 'before it was waited for; --task-timeout ends such a task',
    ...functions.flatMap(({ name, place }) => (place === undefined ? [] : [`    at ${name} (${place})`])),
  ].join('\n')
}
