// Context object of a task, the last argument of a program's functions. Its values do not depend on the attempt, the machine or the time,
// so that two attempts of one task give the same result.
//
// The program gets objects that pass their calls on to this one. They refuse a count after the task's end, as a late `emit` is refused,
// because the report with the counters has been sent. `isHeld` tells quiet.ts, which waits for work that the program has left behind,
// whether such work could still count; the object that `setup` got is left out, because programs keep it in a variable.

import { posix } from 'node:path'
import { GristmillError } from '../../src/base/errors.ts'
import { ExactSum } from '../../src/base/exactsum.ts'
import { attemptParts } from '../../src/base/ids.ts'
import type { PlaceOf } from '../../src/operator/async.ts'
import type { Random } from '../../src/ports/random.ts'
import type { Context, Params } from '../../src/program/authoring.ts'
import type { TaskWork } from '../../src/protocol/task.ts'

interface ContextOptions {
  readonly work: TaskWork
  readonly params: Params
  readonly assets?: ReadonlyMap<string, string> | undefined
  readonly random: Random
  /** Random numbers by the name of their use, the same in every attempt of the job. */
  readonly seeded: (name: string) => Random
  readonly print: (...parts: unknown[]) => void
  /** Tells the datanode what the attempt does, at once: it is kept if the process ends. */
  readonly tellDoing?: ((text: string) => void) | undefined
}

/**
 * Method of contexts for steps of the library that call native code: `context[doing](of, text)`. A text `of` the task is told; one of a
 * batch only in an attempt that is not the first of its task, because it costs as much as a small batch.
 */
const doing = Symbol.for('gristmill.doing')
/** Part of the message of a failure. */
const doingMax = 500

/** The namenode keeps counters in memory: a program must not create one per word of its input. */
const countersMax = 200
const nameMax = 100
/** The sum over 100 stages of 20,000 tasks stays below the largest double, 1.8e308. */
const counterMax = 1e300

const nowhere: PlaceOf = () => undefined

export class TaskContext implements Context {
  readonly params: Params
  readonly job: string
  readonly task: string
  readonly phase: Context['phase']
  readonly now: number
  path = ''
  placeOf: PlaceOf = nowhere
  readonly #random: Random
  readonly #seeded: (name: string) => Random
  readonly #assets: ReadonlyMap<string, string>
  readonly #print: (...parts: unknown[]) => void
  readonly #tellDoing: ((text: string) => void) | undefined
  readonly #isRepeated: boolean
  /** The object lent to map, reduce and teardown; from here until `release`. */
  #lent: Context | undefined
  /** Reachable from every function of `#lent`. */
  #holder: WeakRef<Holder> | undefined
  #hasEnded = false
  #tellLate: ((error: Error) => void) | undefined
  /** Exact sums: the order in which a program's async functions count does not change them. */
  readonly #counters = new Map<string, ExactSum>()

  constructor({ work, params, assets = new Map(), random, seeded, print, tellDoing }: ContextOptions) {
    this.#assets = assets
    this.params = params
    this.job = work.job
    this.task = `${work.stage}.${work.task}`
    this.phase = work.input.kind === 'split' ? 'map' : work.input.kind === 'output' ? 'check' : 'reduce'
    this.now = work.submittedMs ?? 0
    this.#random = random
    this.#seeded = seeded
    this.#print = print
    this.#tellDoing = tellDoing
    this.#isRepeated = tellDoing !== undefined && attemptParts(work.attempt).attempt > 0
    // Bound, because a program may destructure the context: const { counter } = context.
    this.counter = this.counter.bind(this)
    this.asset = this.asset.bind(this)
    this.log = this.log.bind(this)
    this.random = this.random.bind(this)
  }

  /** Looks at the bytes of the record's batch when it is asked for. */
  get offset(): number | undefined { return this.path === '' ? undefined : this.placeOf()?.()?.offset }

  /** For setup, whose variables serve the whole task. */
  lendToSetup(): Context { return lend(this, { context: this }) }

  /** For map, reduce and teardown: one object for all calls. */
  lend(): Context { return this.#lent ??= lend(this, this.#sharedHolder()) }

  /** For the functions of one step of a Dataset, which have random numbers of their own. */
  lendToStep(name: string): Context {
    const random = this.#seeded(name)
    return lend(this, this.#sharedHolder(), () => random.float())
  }

  #sharedHolder(): Holder {
    const known = this.#holder?.deref()
    if (known) return known
    const holder = { context: this }
    this.#holder = new WeakRef(holder)
    return holder
  }

  /** Called after the last turn: drops the references to the lent object, also that of the steps, which `placeOf` reaches. */
  release(): void {
    this.#lent = undefined
    this.placeOf = nowhere
  }

  /** True if the program may still hold what `lend` gave it. Exact only after `release` and a garbage collection. */
  get isHeld(): boolean { return this.#holder?.deref() !== undefined }

  /** The counters have been read for the last time. Later counts throw, and `tellLate` is called for each. */
  taskEnded(tellLate: ((error: Error) => void) | undefined): void {
    this.#hasEnded = true
    this.#tellLate = tellLate
  }

  counter(name: string, by = 1): void {
    if (this.#hasEnded) {
      const error = new GristmillError(
        'EINVAL',
        `the counter ${JSON.stringify(name)} was raised after the task had ended; await what your functions start, or return its promise`,
      )
      this.#tellLate?.(error)
      throw error
    }
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

  doing(of: 'task' | 'batch', text: () => string): void {
    if (of === 'task' || this.#isRepeated) this.#tellDoing?.(text().slice(0, doingMax))
  }

  log(...parts: unknown[]): void { this.#print(...parts) }
  random(): number { return this.#random.float() }

  /** The program's counters, under their names in the job's status. */
  userCounters(): Record<string, number> {
    return Object.fromEntries([...this.#counters].map(([name, sum]) => [`user.${name}`, sum.value]))
  }
}

interface Holder { readonly context: TaskContext }

function lend(of: TaskContext, holder: Holder, random = (): number => holder.context.random()): Context {
  const { params, job, task, phase, now } = of
  return {
    params, job, task, phase, now,
    get path() { return holder.context.path },
    get offset() { return holder.context.offset },
    counter: (name, by) => { holder.context.counter(name, by) },
    asset: name => holder.context.asset(name),
    log: (...parts) => { holder.context.log(...parts) },
    random,
    [doing]: (of: 'task' | 'batch', text: () => string) => { holder.context.doing(of, text) },
  } as Context
}
