// Replay of a program in an executor: calls the program's function with the results of its earlier steps, until it asks for the step whose
// functions the executor needs. A replay serves any number of steps, in their order: it goes on from where it is
// (datanode/executor/replays.ts).

import { GristmillError, type ErrorCode } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { formatDuration } from '../base/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { LoadWorld, Program } from '../program/load.ts'
import { valuesOfLines } from '../shuffle/lines.ts'
import type { PlanChoices } from './choices.ts'
import { fingerprintOf } from './fingerprint.ts'
import { decodeEntry, isSameFingerprint, type HistoryEntry } from './history.ts'
import type { Plan } from './node.ts'
import { differenceOf, outlineOf } from './outline.ts'
import { lowerStep, notLoaded, planJob, type JobPlan } from './planof.ts'
import type { ReplayedSources } from './programsources.ts'
import { broadcastMethod, decodeShipped, shippedHash } from './shipped.ts'
import { ProgramRun, type Delivery, type ProgramStep } from './programrun.ts'
import { bytesIn, WatchedValues } from './watched.ts'

export interface ReplayTarget {
  readonly step: number
  readonly method: string
  readonly fingerprint: string
  readonly plan: PlanChoices | undefined
  /** Outline of the plan that was submitted. */
  readonly outline: string
  readonly history: readonly string[]
  /** Times that the program had read where it was started, before it asked for the step. */
  readonly clock?: string | undefined
}

interface ReplayDeps extends Pick<LoadWorld, 'call'> {
  readonly clock: Clock
  /** Lines of the result of a job, in order. */
  readonly readResult: (job: string) => Promise<readonly string[]>
  /** Bytes of a file of the cluster. */
  readonly readFile: (path: string) => Promise<Buffer>
}

interface ReplayOptions {
  readonly program: Program
  readonly seed: number
  readonly nowMs: number
  /** Given to the program by the `call` of the replay; default: it gets those of the machine. */
  readonly sources?: ReplayedSources | undefined
}

export class ProgramReplay {
  readonly #deps: ReplayDeps
  readonly #program: Program
  readonly #sources: ReplayedSources | undefined
  readonly #run: ProgramRun
  /** Results that the program has got. */
  readonly #watched = new WatchedValues()
  /** Plans of steps before any rule. */
  readonly #plans = new Map<number, Plan>()
  /** Entries of the history that have been delivered. */
  #delivered = 0
  /** Targets are reached one after the other. */
  #queue: Promise<unknown> = Promise.resolve()

  constructor(deps: ReplayDeps, { program, seed, nowMs, sources }: ReplayOptions) {
    this.#deps = deps
    this.#sources = sources
    this.#program = program
    if (program.job.kind !== 'dataflow') throw new GristmillError('PROGRAM_INVALID', 'the program is no program over Datasets here')
    const { dataflow } = program.job
    this.#run = new ProgramRun({
      dataflow, params: program.params, seed, nowMs, call: deps.call, isReplay: true, rest: () => deps.clock.yield(),
    })
    this.#run.start()
  }

  /** Results that the program has got. */
  get delivered(): number { return this.#delivered }

  /** The program has read a time that it had not read yet where it was started: later steps need another replay. */
  get isBeyond(): boolean { return this.#sources?.isBeyond === true }

  /** See WatchedValues.begin. */
  readonly watch = (): () => string | undefined => this.#watched.begin()

  /** Plan of a step. Throws PROGRAM_INVALID if the program does something else here than where it was started. */
  reach(target: ReplayTarget): Promise<JobPlan> {
    const reached = this.#queue.then(() => this.#reach(target))
    this.#queue = reached.catch(() => {})
    return reached
  }

  async #reach({ step: number, method, fingerprint, plan: choices, outline, history, clock = '' }: ReplayTarget): Promise<JobPlan> {
    this.#sources?.give(clock)
    for (const text of history.slice(this.#delivered)) {
      const entry = decodeEntry(text)
      const plan = await this.#planOf(entry)
      if (!isSameFingerprint(entry, fingerprintOf(plan)))
        throw differs(entry, `is now "${outlineOf(plan)}", which is another plan than the one that has run`)
      const delivery = await this.#delivery(entry)
      if ('values' in delivery) this.#watch(entry, delivery.values)
      this.#watched.forget()
      await this.#run.deliver(entry.number, delivery)
      this.#delivered++
    }
    const lowered = await this.#planOf({ number, method })
    const found = planJob(lowered, choices)
    if (found.fingerprint !== fingerprint) throw differs({ number, method }, differenceOf(outline, outlineOf(lowered)))
    return found
  }

  #watch({ number, method }: HistoryEntry, values: readonly unknown[]): void {
    // A value that was broadcast is frozen, except its bytes.
    this.#watched.add(`the result of step ${number} (${method})`, method === broadcastMethod ? bytesIn(values) : values)
  }

  /** Plan of a step that the function has asked for, or will. */
  async #planOf({ number, method }: Pick<HistoryEntry, 'number' | 'method'>): Promise<Plan> {
    const known = this.#plans.get(number)
    if (known) return known
    const step = await this.#step(number, method)
    const plan = lowerStep(step)
    this.#plans.set(number, plan)
    return plan
  }

  async #step(number: number, method: string): Promise<ProgramStep> {
    const { clock } = this.#deps
    const late = Promise.withResolvers<never>()
    const cancel = clock.after(limits.programLoadMs, () => late.reject(
      differs({ number, method }, `is not reached here: the program's function has not asked for it within ${formatDuration(limits.programLoadMs)}`)))
    try {
      const step = await Promise.race([this.#run.reached(number), late.promise])
      if (step?.method === method) return step
      if (step) throw differs({ number, method }, `is now ${step.method}`)
    } finally {
      cancel()
    }
    const failure = await this.#run.ended.then(() => undefined, (error: unknown) => notLoaded(this.#program, error))
    throw number === 1 && failure ? failure : differs({ number, method }, failure
      ? `is not reached here: ${failure.message}`
      : 'is not reached here: the program ends before it')
  }

  async #delivery({ job, method, result }: HistoryEntry): Promise<Delivery> {
    switch (result.kind) {
      case 'file': {
        const bytes = await this.#deps.readFile(result.path)
        if (shippedHash(bytes) === result.hash) return { values: [decodeShipped(bytes)] }
        throw new GristmillError('CORRUPT', `the value that the program has broadcast in ${result.path} has changed; run the program again`)
      }
      case 'lines':
        if (method === broadcastMethod) return { values: [decodeShipped(Buffer.from(result.lines.join(''), 'base64'))] }
        return { values: valuesOfLines(result.lines) }
      case 'stored': return { values: valuesOfLines(await this.#deps.readResult(job)) }
      case 'failed': return { error: new GristmillError(result.code as ErrorCode, result.message, { details: { ...result.details } }) }
    }
  }
}

const differs = ({ number, method }: Pick<HistoryEntry, 'number' | 'method'>, how: string): GristmillError => new GristmillError(
  'PROGRAM_INVALID',
  `the program is not deterministic: step ${number} (${method}) ${how}; the steps of a program may depend on its parameters and on the results ` +
  'of its steps, and not on time, random numbers or the machine: use mill.now and mill.random()',
)
