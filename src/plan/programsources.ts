// Clock and random numbers of one run of a program's function, by Date and Math.random. Where the program is started, the times that it
// reads are recorded; executors give them to its replay in the same order. Random numbers come from the run alone. What the function
// captures is therefore the same on every machine, as long as it reads in the same order.

import { limits } from '../base/limits.ts'
import type { ProgramSources } from '../ports/programglobals.ts'

/** Characters of one time that is recorded, and the space before it. */
const timeCharsMax = 20

/** The generator mulberry32: the same numbers everywhere. Returns the next state and its number. */
export function mulberry32(state: number): { readonly state: number; readonly value: number } {
  const next = (state + 0x6d2b79f5) >>> 0
  let mixed = Math.imul(next ^ (next >>> 15), next | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return { state: next, value: ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 }
}

interface SourcesOptions {
  readonly seed: number
  /** Time at which the program was started; other runs get other random numbers. */
  readonly nowMs: number
  readonly now: () => number
}

/** Times as they are recorded. */
function timesOf(recorded: string): number[] {
  let time = 0
  return recorded === '' ? [] : recorded.split(' ').map(each => (time += Number(each)))
}

class Random {
  #state: number

  constructor({ seed, nowMs }: Pick<SourcesOptions, 'seed' | 'nowMs'>) {
    this.#state = (Math.imul(nowMs % 2 ** 32, 0x9e3779b1) ^ Math.floor(nowMs / 2 ** 32) ^ Math.imul(seed + 1, 0x85ebca6b)) >>> 0
  }

  readonly next = (): number => {
    const { state, value } = mulberry32(this.#state)
    this.#state = state
    return value
  }
}

/** Sources where the program is started. */
export class RecordedSources implements ProgramSources {
  readonly #now: () => number
  readonly #random: Random
  /** Times that the program read before its process was replaced. */
  readonly #before: readonly number[]
  #next = 0
  #last = 0
  /** The times read so far: the first one, then the difference of each from the one before. */
  recorded = ''
  isUsed = false

  /** `before`: times recorded by an earlier process of the same run, which the program gets again. */
  constructor(options: SourcesOptions, before = '') {
    this.#now = options.now
    this.#random = new Random(options)
    this.#before = timesOf(before)
  }

  readonly now = (): number => {
    const now = this.#before[this.#next++] ?? this.#now()
    this.isUsed = true
    if (this.recorded.length + timeCharsMax <= limits.programClockCharsMax) {
      this.recorded += `${this.recorded === '' ? '' : ' '}${now - this.#last}`
      this.#last = now
    }
    return now
  }

  readonly random = (): number => {
    this.isUsed = true
    return this.#random.next()
  }
}

/** Sources of a replay. */
export class ReplayedSources implements ProgramSources {
  readonly #now: () => number
  readonly #random: Random
  #times: readonly number[] = []
  #next = 0
  /** A time was read that was not recorded: the function has gone on beyond the step, or has read too many. */
  isBeyond = false

  constructor(options: SourcesOptions) {
    this.#now = options.now
    this.#random = new Random(options)
  }

  /** `recorded`: until the step that is replayed; it begins with what was given before. */
  give(recorded: string): void {
    this.#times = timesOf(recorded)
  }

  readonly now = (): number => {
    const time = this.#times[this.#next++]
    if (time !== undefined) return time
    this.isBeyond = true
    return this.#now()
  }

  readonly random = (): number => this.#random.next()
}
