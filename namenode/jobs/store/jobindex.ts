// Index of all jobs: running, ended, or with kept output. Avoids reading the jobs' heads. Loaded once, then updated with each
// change of a job.

import { assertKept } from '../../../src/base/assert.ts'
import { limits } from '../../../src/base/limits.ts'
import { isDrive } from '../../../src/protocol/task.ts'
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

interface Kept {
  readonly state: 'kept'
  readonly untilMs: number
  readonly bytes: number
  /** The kept output is the result of a step. */
  readonly isResult?: true
}

/**
 * Run of a program with steps to which the job belongs, and the time until which it keeps the results of the others. `isDrive`: it drives
 * the program, so that its end is that of all results.
 */
interface StepRow { readonly driver?: string; readonly aliveMs?: number; readonly isDrive?: true }

type State = 'running' | 'ended' | 'kept'
/** A state alone: of a job of no program with steps. */
type Row = Exclude<State, 'kept'> | ({ readonly state: Exclude<State, 'kept'> } & StepRow) | (Kept & StepRow)

const stateOf = (row: Row | undefined): State | undefined => (typeof row === 'object' ? row.state : row)

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

  isRunning(number: number): boolean { return stateOf(this.#all.get(number)) === 'running' }

  get running(): number[] { return this.#of('running') }
  /** Jobs that have ended without kept output. */
  get ended(): number[] { return this.#of('ended') }
  /** Jobs with parameters in their head, written by earlier versions. */
  get heavy(): number[] {
    void this.#all
    return [...this.#heavy]
  }

  /** Jobs with kept output. */
  get kept(): number[] { return this.#of('kept') }

  /**
   * Jobs whose kept output must be removed: its time is over, or the bounds are exceeded; then the oldest go first. The results of a
   * program are outside of the bounds: their time is over when that of all jobs of the program is.
   */
  due(nowMs: number): Set<number> {
    const due = this.#dueResults(nowMs)
    const kept = [...this.#all].flatMap(([number, row]) =>
      (typeof row === 'object' && row.state === 'kept' && !row.isResult ? [{ number, ...row }] : []))
    let bytes = 0
    let outputs = 0
    for (const { number, untilMs, bytes: own } of kept.reverse()) {
      bytes += own
      if (nowMs >= untilMs || outputs >= this.#bounds.outputs || (outputs > 0 && bytes > this.#bounds.bytes)) due.add(number)
      else outputs++
    }
    return due
  }

  #dueResults(nowMs: number): Set<number> {
    const aliveMs = new Map<string, number>()
    const results: Array<{ readonly number: number; readonly driver: string }> = []
    const ended = new Set<string>()
    for (const [number, row] of this.#all) {
      if (typeof row !== 'object' || row.driver === undefined) continue
      const { driver, aliveMs: until = 0 } = row
      aliveMs.set(driver, Math.max(until, aliveMs.get(driver) ?? 0))
      if (row.isDrive && row.state !== 'running') ended.add(driver)
      if (row.state === 'kept' && row.isResult) results.push({ number, driver })
    }
    return new Set(results.filter(({ driver }) => ended.has(driver) || nowMs >= aliveMs.get(driver)!).map(({ number }) => number))
  }

  isKept(number: number): boolean { return stateOf(this.#all.get(number)) === 'kept' }

  /** Throws AssertionFailed if a row differs from its job in the store, or the rows are out of order. For tests and simulations. */
  checkState(): void {
    if (!this.#rows) return
    const rows = [...heads(this.#view)].map(({ number, head }) => [number, rowOf(head), head.about.params !== undefined] as const)
    assertKept('jobs in the index', JSON.stringify([...this.#rows]), JSON.stringify(rows.map(([number, row]) => [number, row])))
    const heavy = rows.flatMap(([number, , isHeavy]) => (isHeavy ? [number] : []))
    assertKept('jobs with parameters', JSON.stringify([...this.#heavy].sort((a, b) => a - b)), JSON.stringify(heavy))
  }

  #of(state: State): number[] {
    return [...this.#all].flatMap(([number, row]) => (stateOf(row) === state ? [number] : []))
  }
}

function rowOf({ status: { state, driver, finishedMs = 0 }, kept }: JobRecord): Row {
  const isRunning = state === 'running'
  // No time is ever after that of a job that runs. JSON, in which tests compare rows, has no Infinity.
  const aliveMs = isRunning ? Number.MAX_SAFE_INTEGER : kept?.untilMs ?? finishedMs + limits.resultKeepMs
  const step = driver && { driver: driver.id, aliveMs, ...isDrive({ driver }) && { isDrive: true as const } }
  if (!isRunning && kept)
    return { state: 'kept', untilMs: kept.untilMs, bytes: kept.bytes ?? 0, ...kept.result && { isResult: true }, ...step }
  const plain = isRunning ? 'running' : 'ended'
  return step ? { state: plain, ...step } : plain
}
