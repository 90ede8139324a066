// Replays of one run of a program, for the steps of it that this process works for. The functions of a step may use variables that the
// program changes between its steps, so the tasks of a step need them as they were when the program had asked for it. One replay serves the
// steps of a run as long as it only goes forward; for a step that runs beside later ones another one begins, with its own module instance.
// INVARIANT: a plan is returned only while its replay has the results that the step's history has, and no others.

import type { PlannedProgram } from '../../src/plan/planof.ts'
import type { ProgramReplay, ReplayTarget } from '../../src/plan/replay.ts'
import type { Program } from '../../src/program/load.ts'

interface Replaying { readonly program: Program; readonly replay: ProgramReplay }

/** Jobs of which the plans are kept; one that is forgotten is planned again. */
const plansKept = 64

export class Replays {
  readonly #begin: (number: number, target: ReplayTarget) => Promise<Replaying>
  readonly #replays = new Set<Replaying>()
  /** By job. */
  readonly #plans = new Map<string, { readonly by: Replaying; readonly plan: PlannedProgram }>()
  #begun = 0
  /** Replays go forward one after the other. */
  #queue: Promise<unknown> = Promise.resolve()

  /** `begin`: loads the program, in a module instance of this number, for a replay that reaches the target first. */
  constructor(begin: (number: number, target: ReplayTarget) => Promise<Replaying>) { this.#begin = begin }

  has(job: string): boolean { return this.#plans.has(job) }

  /** Program and plan of the step that a job computes. Throws PROGRAM_INVALID if the program does something else here. */
  plan(job: string, target: ReplayTarget): Promise<PlannedProgram> {
    const planned = this.#queue.then(() => this.#plan(job, target))
    this.#queue = planned.catch(() => {})
    return planned
  }

  async #plan(job: string, target: ReplayTarget): Promise<PlannedProgram> {
    const results = target.history.length
    const known = this.#plans.get(job)
    if (known?.by.replay.delivered === results) return known.plan
    // The one that has the fewest steps to go.
    const [nearest] = [...this.#replays].filter(({ replay }) => replay.delivered <= results && !replay.isBeyond)
      .sort((a, b) => b.replay.delivered - a.replay.delivered)
    const by = nearest ?? await this.#begin(this.#begun++, target)
    this.#replays.add(by)
    try {
      const plan = { ...by.program, ...await by.replay.reach(target), watch: by.replay.watch }
      this.#plans.delete(job)
      this.#plans.set(job, { by, plan })
      if (this.#plans.size > plansKept) this.#plans.delete(this.#plans.keys().next().value!)
      return plan
    } catch (error) {
      // The next attempt loads the program again.
      this.#replays.delete(by)
      throw error
    }
  }
}
