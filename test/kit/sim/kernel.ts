// Virtual time. Everything that takes time in a simulated cluster is an event in one heap. One event runs at a time, and the next one runs
// only when all activity that it caused has come to rest. Real work (compiling a program, loading a module) stops the clock until it is
// done. Thus the same seed gives the same sequence of events, whose hash is the trace.
//
// The seed chooses the order of events that are due at the same moment: no code may rely on being called first. A killed process never
// runs again; events of a paused process wait until it is resumed.

import { crc32c } from '@node-rs/crc32'
import { seeded } from '../../../src/world/random.ts'
import type { Random } from '../../../src/ports/random.ts'
import { excuse } from './border.ts'

/** A process, as the target of events. */
export interface Subject {
  readonly name: string
  readonly alive: boolean
  readonly paused: boolean
  /** Called after each of its events, once all activity that it caused has come to rest. It must not cause any itself. */
  rested?(): void
}

interface Event {
  readonly at: number
  /** Order among events due at the same time: a random number, then a running number. */
  readonly order: number
  readonly subject: Subject | undefined
  readonly label: string
  readonly work: () => void
  cancelled: boolean
}

/** Distance between events that happen at the same moment in a fixed order. */
const instantMs = 1e-6

/** Turns of the event loop without activity that count as rest: one for promises and ticks, and one for a setImmediate among them. */
const quietTurns = 2

/** Kernels of this process that wait for a turn of the event loop, each with a setImmediate. */
let resting = 0

/** True if no setImmediate waits but those of kernels. Promises and ticks have run by the end of a turn. */
function isQueueEmpty(): boolean {
  let others = -resting
  for (const kind of process.getActiveResourcesInfo()) if (kind === 'Immediate') others++
  return others <= 0
}

const linesMax = 16_384

/** Thrown into code of a dead process: it must not go on. */
export class Dead extends Error {
  override name = 'Dead'
}

export class Kernel {
  readonly seed: number
  readonly #ties: Random
  /** Turns that must pass without activity; the gate compares the traces of several values. */
  readonly #turns: number
  /** Rests after one turn if nothing waits for the next one, which is so after nearly all events. */
  readonly #isEager: boolean
  readonly #heap: Event[] = []
  readonly #held = new Map<Subject, Event[]>()
  #order = 0
  #activity = 0
  #outside = 0
  #last: Promise<unknown> = Promise.resolve()
  #stopped = false
  #running: Promise<void> | undefined
  #wake: (() => void) | undefined
  /** Hash of the trace without its last lines, and those lines: hashed together, which takes less time than one by one. */
  #hash = 0
  #lines = ''
  /** Errors thrown by events, from the kit or the product; always unexpected. */
  readonly errors: string[] = []
  readonly #onError: ((error: string) => void) | undefined
  now = 0
  events = 0

  /** `turns`: always this many turns without activity; default: as few as it takes, at most two. */
  constructor(seed: number, { turns, onError }: { turns?: number; onError?: ((error: string) => void) | undefined } = {}) {
    this.seed = seed
    this.#onError = onError
    this.#ties = this.random('ties')
    this.#turns = turns ?? quietTurns
    this.#isEager = turns === undefined
  }

  /** A separate random stream for each purpose. */
  random(purpose: string): Random { return seeded(`${this.seed}/${purpose}`) }

  get hash(): string {
    this.#hash = crc32c(this.#lines, this.#hash)
    this.#lines = ''
    return (this.#hash >>> 0).toString(16).padStart(8, '0')
  }

  /** Adds a label to the trace without an event. */
  note(label: string): void {
    this.#lines += label
    if (this.#lines.length > linesMax) void this.hash
  }

  /** Reports activity caused by the current event. */
  touch(): void { this.#activity++ }

  /** Notes an error. */
  fail(error: string): void {
    this.errors.push(error)
    this.#onError?.(error)
  }

  /** Runs `work` after `ms` of virtual time; returns the function that cancels it. */
  schedule(ms: number, subject: Subject | undefined, label: string, work: () => void): () => void {
    this.#activity++
    const event: Event = {
      at: this.now + Math.max(0, ms),
      order: this.#ties.below(2 ** 20) * 2 ** 32 + this.#order++,
      subject, label, work, cancelled: false,
    }
    this.#push(event)
    this.#wake?.()
    return () => { event.cancelled = true }
  }

  /** Resumes a paused subject: held events happen now, in their order. */
  resumed(subject: Subject): void {
    const held = this.#held.get(subject) ?? []
    this.#held.delete(subject)
    for (const [i, event] of held.entries())
      this.schedule(i * instantMs, subject, event.label, () => {
        if (!event.cancelled) event.work()
      })
  }

  /** Waits for real work while virtual time stands still. Several calls are answered in the order in which they were made. */
  async outside<T>(work: () => Promise<T>): Promise<T> {
    this.#outside++
    const before = this.#last
    const mine = (async () => {
      await before
      return excuse(work)
    })()
    this.#last = mine.catch(() => {})
    try {
      return await mine
    } finally {
      this.#outside--
      this.#activity++
    }
  }

  start(): void {
    this.#running ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#wake?.()
    await this.#running
    this.#heap.length = 0
    this.#held.clear()
  }

  async #run(): Promise<void> {
    await this.#rest()
    while (!this.#stopped) {
      const event = this.#pop()
      if (!event) {
        await new Promise<void>(resolve => { this.#wake = resolve })
        this.#wake = undefined
        continue
      }
      if (event.cancelled || event.subject?.alive === false) continue
      this.now = Math.max(this.now, event.at)
      if (event.subject?.paused) {
        const held = this.#held.get(event.subject)
        if (held) held.push(event)
        else this.#held.set(event.subject, [event])
        continue
      }
      this.events++
      this.note(`${event.at.toFixed(3)} ${event.subject?.name ?? ''} ${event.label}\n`)
      try {
        event.work()
      } catch (error) {
        if (!(error instanceof Dead))
          this.fail(`${event.subject?.name ?? 'world'}: ${event.label}: ${String((error as Error).stack)}`)
      }
      await this.#rest()
      if (event.subject?.alive) event.subject.rested?.()
    }
  }

  /** Resolves when no activity caused by the event remains. */
  async #rest(): Promise<void> {
    for (let quiet = 0; quiet < this.#turns;) {
      const before = this.#activity
      resting++
      await new Promise<void>(resolve => { setImmediate(resolve) })
      resting--
      if (this.#outside > 0) {
        await this.#last
        quiet = 0
      } else if (this.#isEager && isQueueEmpty()) return
      else quiet = this.#activity === before ? quiet + 1 : 0
    }
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(event, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = event
  }

  #pop(): Event | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (!first || first === last) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, last!)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last!
    return first
  }
}

const before = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)
