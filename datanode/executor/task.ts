// Runs one attempt: connects its source, operator and sink, drives them, and reports counters and progress. A stage of a map-reduce job
// either maps a split or reduces a partition; its output is a map output on this machine or a file of the cluster.

import { assert } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { Counters } from '../../src/protocol/fields.ts'
import type { TaskWork } from '../../src/protocol/task.ts'
import type { UserFunction } from '../../src/plan/node.ts'
import type { PlannedProgram } from '../../src/plan/planof.ts'
import { functionsOf, stagesOf, type Stage } from '../../src/plan/stage.ts'
import { drive } from '../../src/operator/drive.ts'
import { MapOperator, type MapFunction } from '../../src/operator/map.ts'
import { ReduceOperator, type ReduceFunction } from '../../src/operator/reduce.ts'
import { FunctionFailed, type Operator, type Sink } from '../../src/operator/operator.ts'
import { receive, Turns } from '../../src/operator/turn.ts'
import { validated, type ValidateFunction } from '../../src/operator/validate.ts'
import type { Started } from '../../src/ports/started.ts'
import { newReadCounters, type Batch } from '../../src/record/records.ts'
import { readRecords } from '../../src/record/reader.ts'
import { mergeSegments, type KeyGroup } from '../../src/shuffle/groups.ts'
import { Inbox } from '../../src/shuffle/inbox.ts'
import type { StackMapper } from '../../src/program/stack.ts'
import type { TaskContext } from './context.ts'
import { gather } from './fetch.ts'
import { SplitSource } from './input.ts'
import type { ExecutorSession } from './session.ts'
import type { AttemptOutcome } from './messages.ts'
import { openOutput, type OpenOutput } from './taskoutput.ts'
import { untilQuiet, untilSettled } from './quiet.ts'

interface TaskAttemptOptions {
  readonly session: ExecutorSession
  readonly work: TaskWork
  readonly program: PlannedProgram
  readonly context: TaskContext
  /** Tracks work that the program's functions leave running; without it such work is not waited for. */
  readonly started?: Started | undefined
  /** The program's module was loaded for this task. */
  readonly isFirst: boolean
  readonly onProgress: (counters: Counters, fraction: number) => void
  /** Called for an `emit` or a count after the attempt has ended. */
  readonly onLate?: ((error: Error) => void) | undefined
}

/** Interval of progress messages: progress bars move twice a second. */
const progressMs = 500
/** Longest time for which a loop over records holds up timers and messages. */
const turnMs = 25
/** Share of a task's memory for map outputs received from other nodes. */
const inboxShare = 0.25

export class TaskAttempt {
  readonly #options: TaskAttemptOptions
  readonly #stage: Stage
  /** Counters of the phase that runs; the sink has its own. */
  #measure: () => Record<string, number> = () => ({})
  #output: OpenOutput | undefined
  #fraction = 0
  #turnAt: number
  #progressAt: number

  constructor(options: TaskAttemptOptions) {
    this.#options = options
    this.#stage = stagesOf(options.program.plan)[options.work.stage]!
    assert(this.#stage, 'the plan has the stage that the task belongs to')
    this.#turnAt = options.session.clock.mono() + turnMs
    this.#progressAt = options.session.clock.mono() + progressMs
  }

  get stacks(): StackMapper { return this.#options.program.stacks }

  get counters(): Record<string, number> {
    return { ...this.#measure(), ...this.#output?.counters(), ...this.#options.context.userCounters() }
  }

  /** Throws an error for `toFailure`; the partial output is then removed. */
  async run(): Promise<AttemptOutcome> {
    const { session, work } = this.#options
    const output = this.#output = await openOutput(session, work, this.#stage, index => this.#function(index))
    try {
      const { started, context } = this.#options
      const turns = new Turns(output.sink.emit)
      const phase = work.input.kind === 'split' ? 'map' : 'reduce'
      const { setup, teardown } = this.#options.program.plan.hooks
      const quiet = { clock: session.clock, started, turns, counts: context, note: this.#notes() }
      if (this.#options.isFirst) await untilSettled(quiet, 'the module', setup ? 'setup' : phase)
      started?.begin(work.job)
      if (setup) {
        await this.#setup(setup)
        await untilSettled(quiet, 'setup', phase)
        started?.begin(work.job)
      }
      if (work.input.kind === 'split') await this.#map(new SplitSource(session, work.input), output.sink, turns)
      else await this.#reduce(work.input.stage, output.sink, turns)
      if (teardown) {
        await untilSettled(quiet, phase, 'teardown')
        await this.#teardown(teardown, turns, output.sink)
      }
      await untilQuiet(quiet, phase)
      const { onLate } = this.#options
      turns.taskEnded(onLate)
      const left = await output.finish()
      const { counters } = this
      context.taskEnded(onLate)
      return { kind: 'done', counters, output: left }
    } catch (error) {
      await output.discard()
      throw error
    }
  }

  /** Writes notes to the attempt's log, one for each place in the program. */
  #notes(): (told: Error) => void {
    const places = new Set<string | undefined>()
    return told => {
      if (places.has(told.stack)) return
      places.add(told.stack)
      this.#options.context.log(this.stacks.describe(told).stack ?? told.message)
    }
  }

  async #setup(setup: UserFunction): Promise<void> {
    try {
      const returned = await this.#call(() => setup(this.#options.context.lendToSetup()))
      if (typeof (returned as { next?: unknown } | undefined)?.next === 'function')
        throw new GristmillError(
          'EINVAL',
          'setup returned a generator, which is never run; it must return nothing, or a promise of nothing',
        )
    } catch (error) {
      throw new FunctionFailed(error, {})
    }
  }

  async #teardown(teardown: UserFunction, turns: Turns, sink: Sink<unknown>): Promise<void> {
    const { context } = this.#options
    context.path = ''
    const emit = turns.begin('teardown')
    try {
      await this.#call(() => receive(teardown(emit, context.lend()), emit, 'teardown'))
    } catch (error) {
      throw new FunctionFailed(error, {})
    }
    turns.end()
    await sink.settle()
  }

  /**
   * Wraps an operator so that its calls are tracked. Not inlined where `#measure` is set: closures of one scope share their variables,
   * so the closure in `#measure` would keep the `emit` reachable after the last turn.
   */
  #watched<In>(operator: Operator<In>, before?: (item: In) => void): Operator<In> {
    return {
      push: item => {
        before?.(item)
        return this.#call(() => operator.push(item))
      },
    }
  }

  /** Calls a function of the program and tracks the work that it starts. */
  #call<T>(work: () => T): T {
    const { started } = this.#options
    return started ? started.call(work) : work()
  }

  async #map(source: SplitSource, sink: Sink<unknown>, turns: Turns): Promise<void> {
    const { work, context } = this.#options
    const read = newReadCounters()
    const { bytes: total } = (work.input as Extract<TaskWork['input'], { kind: 'split' }>).split
    this.#measure = () => ({
      recordsIn: read.records, bytesIn: read.bytes, bytesReadLocal: source.read.local, bytesReadRack: source.read.rack,
      bytesReadRemote: source.read.remote,
      ...(read.invalidUtf8Records > 0 && { invalidUtf8Records: read.invalidUtf8Records }),
      ...(read.badRecords > 0 && { badRecords: read.badRecords }),
    })
    const { validate } = functionsOf(this.#stage)
    const map = this.#step('map') as MapFunction
    const step = validate !== undefined
      ? validated(map, this.#function(validate) as ValidateFunction, { badRecords: source.options.badRecords, counters: read })
      : map
    const operator = this.#watched<Batch>(new MapOperator(step, turns, context.lend()), batch => { context.path = batch.path })
    await drive(readRecords(source.ranges(), { input: source.options, counters: read }), operator, sink, () => {
      this.#fraction = total === 0 ? 0 : read.bytes / total
      return this.#pause()
    })
  }

  async #reduce(stage: number, sink: Sink<unknown>, turns: Turns): Promise<void> {
    const { session, work, context } = this.#options
    const { disk, setup } = session
    const files = { disk, directory: setup.scratch, name: work.attempt }
    const inbox = new Inbox({ ...files, memoryBytes: setup.memoryBytes * inboxShare })
    try {
      // Fetching is the first half of the progress, reducing the second.
      const { segments, bytesLocal, bytesRemote } = await gather(
        session, inbox, { job: work.job, stage, partition: work.task },
        fraction => {
          this.#fraction = fraction / 2
          void this.#pause()
        },
      )
      const shuffled = {
        bytesIn: bytesLocal + bytesRemote, shuffleBytes: bytesLocal + bytesRemote, shuffleBytesLocal: bytesLocal,
        shuffleBytesRemote: bytesRemote,
      }
      this.#measure = () => shuffled
      const groups = await mergeSegments({ ...files, segments })
      try {
        this.#measure = () => ({ ...shuffled, recordsIn: groups.records, groupsIn: groups.groups, mergePasses: groups.passes })
        const step = this.#step('reduce')
        const operator = this.#watched<KeyGroup>(new ReduceOperator(step as ReduceFunction, turns, context.lend()))
        await drive(groups, operator, sink, () => {
          this.#fraction = 0.5 + (groups.recordsTotal === 0 ? 0 : groups.records / groups.recordsTotal / 2)
          return this.#pause()
        })
      } finally {
        await groups.close()
      }
    } finally {
      await inbox.close()
    }
  }

  #step(kind: 'map' | 'reduce'): UserFunction {
    const index = functionsOf(this.#stage)[kind]
    assert(index !== undefined, `a stage that ${kind}s has a step for it`)
    return this.#function(index)
  }

  #function(index: number): UserFunction { return this.#options.program.plan.functions[index]! }

  /** Yields to timers and messages, and sends progress, when due; undefined if no yield is due. */
  #pause(): Promise<void> | undefined {
    const { clock } = this.#options.session
    const now = clock.mono()
    if (now < this.#turnAt) return undefined
    if (now >= this.#progressAt) {
      this.#progressAt = now + progressMs
      this.#options.onProgress(this.counters, Math.min(1, this.#fraction))
    }
    this.#turnAt = now + turnMs
    return clock.yield()
  }
}
