// Context object of a task, the last argument of a program's functions. Its values do not depend on the attempt, the machine or the
// time, so that two attempts of one task give the same result.

import { posix } from 'node:path'
import { GristmillError } from '../../src/base/errors.ts'
import { ExactSum } from '../../src/base/exactsum.ts'
import type { Random } from '../../src/ports/random.ts'
import type { Context, Params } from '../../src/program/authoring.ts'
import type { TaskWork } from '../../src/protocol/task.ts'

interface ContextOptions {
  readonly work: TaskWork
  readonly params: Params
  readonly assets?: ReadonlyMap<string, string> | undefined
  readonly random: Random
  readonly print: (...parts: unknown[]) => void
}

/** The namenode keeps counters in memory: a program must not create one per word of its input. */
const countersMax = 200
const nameMax = 100
/** The sum over 100 stages of 20,000 tasks stays below the largest double, 1.8e308. */
const counterMax = 1e300

export class TaskContext implements Context {
  readonly params: Params
  readonly job: string
  readonly task: string
  readonly phase: 'map' | 'reduce'
  readonly now: number
  path = ''
  readonly #random: Random
  readonly #assets: ReadonlyMap<string, string>
  readonly #print: (...parts: unknown[]) => void
  /** Exact sums: the order in which a program's async functions count does not change them. */
  readonly #counters = new Map<string, ExactSum>()

  constructor({ work, params, assets = new Map(), random, print }: ContextOptions) {
    this.#assets = assets
    this.params = params
    this.job = work.job
    this.task = `${work.stage}.${work.task}`
    this.phase = work.input.kind === 'split' ? 'map' : 'reduce'
    this.now = work.submittedMs ?? 0
    this.#random = random
    this.#print = print
    // Bound, because a program may destructure the context: const { counter } = context.
    this.counter = this.counter.bind(this)
    this.asset = this.asset.bind(this)
    this.log = this.log.bind(this)
    this.random = this.random.bind(this)
  }

  counter(name: string, by = 1): void {
    let sum = this.#counters.get(name)
    if (sum === undefined) this.#check(name)
    if (typeof by !== 'number' || !Number.isFinite(by))
      throw new GristmillError('EINVAL', `the counter "${name}" was to be raised by ${String(by)}; give a number`)
    const after = (sum?.value ?? 0) + by
    if (Math.abs(after) > counterMax)
      throw new GristmillError(
        'EINVAL',
        `the counter "${name}" would be ${after}; a task may count up to ${counterMax}, so that the sum over all tasks is still a number`,
      )
    if (!sum) this.#counters.set(name, sum = new ExactSum())
    sum.add(by)
  }

  #check(name: string): void {
    if (typeof name !== 'string' || name === '' || name.length > nameMax)
      throw new GristmillError('EINVAL', `a counter's name must be a string of 1 to ${nameMax} characters`)
    if (!name.isWellFormed())
      throw new GristmillError('EINVAL', `the counter ${JSON.stringify(name)} has half of a surrogate pair in its name, which no report can hold; use other characters`)
    if (this.#counters.size >= countersMax)
      throw new GristmillError(
        'EINVAL',
        `a task may have at most ${countersMax} counters, and "${name}" is one more; emit records instead`,
      )
  }

  asset(name: string): string {
    const path = this.#assets.get(name) ?? this.#assets.get(posix.normalize(name))
    if (path === undefined)
      throw new GristmillError(
        'EINVAL',
        `the program has no asset ${JSON.stringify(name)}; ` +
        (this.#assets.size === 0
          ? "it lists none: assets: ['words.txt']"
          : `it lists ${[...this.#assets.keys()].slice(0, 20).join(', ')}`),
      )
    return path
  }

  log(...parts: unknown[]): void { this.#print(...parts) }
  random(): number { return this.#random.float() }

  /** The program's counters, under their names in the job's status. */
  userCounters(): Record<string, number> {
    return Object.fromEntries([...this.#counters].map(([name, sum]) => [`user.${name}`, sum.value]))
  }
}
