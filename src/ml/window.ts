// Windows over time: for each row, statistics of the rows with its key in the time before it.

import { ExactSum } from '../base/exactsum.ts'
import type { Key } from '../base/pair.ts'
import type { Dataset } from '../program/dataset.ts'
import { timeOf } from './asof.ts'
import { checkNames, checkNumber } from './row.ts'

export interface WindowOptions<T> {
  readonly key: (row: T) => Key
  /** Time of a row, in any unit. */
  readonly time: (row: T) => number
  /** Length of the window, in the unit of the time: a row that is as old as this does not count. */
  readonly length: number
  /** The number that statistics are made of; null for none. */
  readonly value: (row: T) => number | null
  /**
   * `true`: rows of the same time count, the row itself among them. `false` (default): only earlier rows count, so that a feature does not
   * tell what is to be learnt.
   */
  readonly sameTime?: boolean | undefined
}

/** Without a value in the window, `mean`, `min` and `max` are null. */
export interface WindowSummary {
  readonly count: number
  readonly sum: number
  readonly mean: number | null
  readonly min: number | null
  readonly max: number | null
}

/** Pairs of each row and the statistics of its window. The rows of a window must fit in memory. */
export function slidingWindow<T>(rows: Dataset<T>, options: WindowOptions<T>): Dataset<[T, WindowSummary]> {
  checkNames('slidingWindow', options, ['key', 'time', 'length', 'value', 'sameTime'])
  const { key, time, value, sameTime = false } = options
  for (const [name, fn] of Object.entries({ key, time, value }))
    if (typeof fn !== 'function') throw new TypeError(`${name} of slidingWindow is a function of a row`)
  const length = checkNumber('length of slidingWindow', options.length, { min: Number.MIN_VALUE, max: Infinity })
  const timed = (row: T): number => timeOf('time of slidingWindow', time(row))
  return rows.groupBy(key).sortBy(timed).flatMap(function * (_key, sorted): Generator<[T, WindowSummary]> {
    const window = new Window(length)
    for (const [at, peers] of byTime(sorted, timed)) {
      window.moveTo(at)
      const add = (): void => { for (const row of peers) window.add(at, value(row)) }
      if (sameTime) add()
      const summary = window.summary
      for (const row of peers) yield [row, summary]
      if (!sameTime) add()
    }
  })
}

/** Rows of one time together. */
function * byTime<T>(rows: Iterable<T>, timed: (row: T) => number): Generator<[number, T[]]> {
  let at = NaN
  let peers: T[] = []
  for (const row of rows) {
    const time = timed(row)
    if (time !== at && peers.length > 0) {
      yield [at, peers]
      peers = []
    }
    at = time
    peers.push(row)
  }
  if (peers.length > 0) yield [at, peers]
}

type Entry = readonly [at: number, value: number]

class Window {
  readonly #length: number
  readonly #entries: Entry[] = []
  /** Candidates for the least and the largest value: entries that no later one has overtaken. */
  readonly #least: Entry[] = []
  readonly #most: Entry[] = []
  readonly #heads = { entries: 0, least: 0, most: 0 }
  readonly #sum = new ExactSum()

  constructor(length: number) { this.#length = length }

  add(at: number, value: number | null): void {
    if (value === null) return
    if (!Number.isFinite(value)) throw new TypeError(`value of slidingWindow has returned ${String(value)}; it returns a number, or null for none`)
    const entry: Entry = [at, value]
    this.#entries.push(entry)
    this.#sum.add(value)
    while (this.#least.length > this.#heads.least && this.#least.at(-1)![1] >= value) this.#least.pop()
    while (this.#most.length > this.#heads.most && this.#most.at(-1)![1] <= value) this.#most.pop()
    this.#least.push(entry)
    this.#most.push(entry)
  }

  /** Drops what is too old at this time. */
  moveTo(now: number): void {
    const isOld = (entry: Entry | undefined): boolean => entry !== undefined && now - entry[0] >= this.#length
    const heads = this.#heads
    for (; isOld(this.#entries[heads.entries]); heads.entries++) this.#sum.subtract(this.#entries[heads.entries]![1])
    while (isOld(this.#least[heads.least])) heads.least++
    while (isOld(this.#most[heads.most])) heads.most++
    for (const [name, queue] of [['entries', this.#entries], ['least', this.#least], ['most', this.#most]] as const) {
      if (heads[name] < 1024 || heads[name] * 2 < queue.length) continue
      queue.splice(0, heads[name])
      heads[name] = 0
    }
  }

  get summary(): WindowSummary {
    const count = this.#entries.length - this.#heads.entries
    if (count === 0) return { count, sum: 0, mean: null, min: null, max: null }
    const sum = this.#sum.value
    return { count, sum, mean: sum / count, min: this.#least[this.#heads.least]![1], max: this.#most[this.#heads.most]![1] }
  }
}
