// Index of all jobs: running, ended, or with kept output. Avoids reading the jobs' heads. Loaded once, then updated with each
// change of a job.

import { assertKept } from '../../../src/base/assert.ts'
import { limits } from '../../../src/base/limits.ts'
import type { View } from '../../journal/view.ts'
import type { JobRecord } from './record.ts'
import { headOf, heads } from './rows.ts'

/** Bounds for all jobs together. */
export interface KeptBounds {
  /** Number of kept outputs. */
  readonly outputs?: number | undefined
  /** Bytes of kept outputs; the newest one is kept whatever its size. */
  readonly bytes?: number | undefined
}

type Row = 'running' | 'ended' | { readonly untilMs: number; readonly bytes: number }

export class JobIndex {
  readonly #view: View
  readonly #bounds: Required<{ [Name in keyof KeptBounds]: number }>
  /** In order of job number, oldest first. */
  #rows: Map<number, Row> | undefined
  /** Jobs with parameters in their head, written by earlier versions. */
  readonly #heavy = new Set<number>()

  constructor(view: View, { outputs = limits.keptOutputsMax, bytes = limits.keptBytesMax }: KeptBounds = {}) {
    this.#view = view
    this.#bounds = { outputs, bytes }
  }

  /** Reads all heads. */
  load(): void {
    this.#rows = new Map()
    for (const { number, head } of heads(this.#view)) this.#set(this.#rows, number, head)
  }

  /** The job has changed. */
  note(number: number): void {
    if (!this.#rows) return
    const head = headOf(this.#view, number)
    if (head) this.#set(this.#rows, number, head)
    else {
      this.#rows.delete(number)
      this.#heavy.delete(number)
    }
  }

  #set(rows: Map<number, Row>, number: number, head: JobRecord): void {
    rows.set(number, rowOf(head))
    if (head.about.params === undefined) this.#heavy.delete(number)
    else this.#heavy.add(number)
  }

  get #all(): Map<number, Row> {
    if (!this.#rows) this.load()
    return this.#rows!
  }

  /** True if outputs are kept at all. */
  get keeps(): boolean { return this.#bounds.outputs > 0 }

  isRunning(number: number): boolean { return this.#all.get(number) === 'running' }

  get running(): number[] { return this.#of(row => row === 'running') }
  /** Jobs that have ended without kept output. */
  get ended(): number[] { return this.#of(row => row === 'ended') }
  /** Jobs with parameters in their head, written by earlier versions. */
  get heavy(): number[] {
    void this.#all
    return [...this.#heavy]
  }

  /** Jobs with kept output. */
  get kept(): number[] { return this.#of(row => typeof row === 'object') }

  /** Jobs whose kept output must be removed: its time is over, or the bounds are exceeded; then the oldest go first. */
  due(nowMs: number): Set<number> {
    const due = new Set<number>()
    const kept = [...this.#all].flatMap(([number, row]) => (typeof row === 'object' ? [{ number, ...row }] : []))
    let bytes = 0
    let outputs = 0
    for (const { number, untilMs, bytes: own } of kept.reverse()) {
      bytes += own
      if (nowMs >= untilMs || outputs >= this.#bounds.outputs || (outputs > 0 && bytes > this.#bounds.bytes)) due.add(number)
      else outputs++
    }
    return due
  }

  isKept(number: number): boolean { return typeof this.#all.get(number) === 'object' }

  /** Throws AssertionFailed if a row differs from its job in the store, or the rows are out of order. For tests and simulations. */
  checkState(): void {
    if (!this.#rows) return
    const rows = [...heads(this.#view)].map(({ number, head }) => [number, rowOf(head), head.about.params !== undefined] as const)
    assertKept('jobs in the index', JSON.stringify([...this.#rows]), JSON.stringify(rows.map(([number, row]) => [number, row])))
    const heavy = rows.flatMap(([number, , isHeavy]) => (isHeavy ? [number] : []))
    assertKept('jobs with parameters', JSON.stringify([...this.#heavy].sort((a, b) => a - b)), JSON.stringify(heavy))
  }

  #of(is: (row: Row) => boolean): number[] {
    return [...this.#all].flatMap(([number, row]) => (is(row) ? [number] : []))
  }
}

function rowOf({ status, kept }: JobRecord): Row {
  if (status.state === 'running') return 'running'
  return kept ? { untilMs: kept.untilMs, bytes: kept.bytes ?? 0 } : 'ended'
}
