// Runs one attempt: connects its source, the steps of its branch (src/operator/build.ts) and its sink, drives them, and reports counters
// and progress. A task reads a split, values of the program, or a partition of one shuffle or of two; its output is a map output on this
// machine or a file of the cluster.

import { assert, unreachable } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { InputOptions } from '../../src/base/formats.ts'
import type { Counters } from '../../src/protocol/fields.ts'
import type { TaskWork } from '../../src/protocol/task.ts'
import type { CommandNode, StepNode, UserFunction } from '../../src/plan/node.ts'
import type { Context } from '../../src/program/definition.ts'
import type { PlannedProgram } from '../../src/plan/planof.ts'
import { stagesOf, type Branch, type Stage } from '../../src/plan/stage.ts'
import { groupPipeline, hashPipeline, joinPipeline, recordPipeline, type PipelineOptions } from '../../src/operator/build.ts'
import { MapCommand, reduceCommand, type CommandOptions } from '../../src/operator/command.ts'
import { drive } from '../../src/operator/drive.ts'
import { GroupsOperator } from '../../src/operator/groupsoperator.ts'
import { FunctionFailed, isPromise, type Operator, type Sink, type Step } from '../../src/operator/operator.ts'
import { RecordsOperator } from '../../src/operator/recordsoperator.ts'
import { receive, Turns } from '../../src/operator/turn.ts'
import type { Commands } from '../../src/ports/command.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Started } from '../../src/ports/started.ts'
import { batchesOf, newReadCounters, type Batch, type ReadCounters } from '../../src/record/records.ts'
import { readRaw } from '../../src/record/raw.ts'
import { readRecords } from '../../src/record/reader.ts'
import { groupsInTurn, mergeSegments, type KeyGroup } from '../../src/shuffle/groups.ts'
import { Inbox } from '../../src/shuffle/inbox.ts'
import { joinSegments, type JoinGroup } from '../../src/shuffle/join.ts'
import { ReplayBuffer } from '../../src/shuffle/replay.ts'
import type { Segment } from '../../src/shuffle/segment.ts'
import { JoinTable } from '../../src/shuffle/table.ts'
import { copyValue } from '../../src/shuffle/value.ts'
import type { StackMapper } from '../../src/program/stack.ts'
import type { TaskContext } from './context.ts'
import { gather } from './fetch.ts'
import { SplitSource } from './input.ts'
import type { ExecutorSession } from './session.ts'
import type { AttemptOutcome } from './messages.ts'
import { Tables } from './broadcast.ts'
import { TaskCommands } from './taskcommands.ts'
import { checkOutput } from './outputcheck.ts'
import { openOutput, type OpenOutput } from './taskoutput.ts'
import { untilQuiet, untilSettled } from './quiet.ts'
import { awaited, StallWatch, waitersOf, type AwaitedFunction } from './stalled.ts'

interface TaskAttemptOptions {
  readonly session: ExecutorSession
  readonly work: TaskWork
  readonly program: PlannedProgram
  readonly context: TaskContext
  /** Unix commands, and the place for what they write to stderr; a simulation has none. */
  readonly commands?: { readonly commands: Commands; readonly log: (bytes: Uint8Array) => void } | undefined
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
/** Shares of a task's memory: map outputs received from other nodes, and the values of one key of a join. */
const inboxShare = 0.25
const joinShare = 0.15
/** Share for the table of a hash join, in place of `joinShare`. */
const hashShare = 0.25
/** Bytes of a table in memory for each byte of its segments, which are compressed where it pays. */
const tableGrowth = 3

type InputOf<K extends TaskWork['input']['kind']> = Extract<TaskWork['input'], { kind: K }>

interface RecordsOptions {
  readonly options: PipelineOptions
  readonly sink: Sink<unknown>
  readonly read: ReadCounters
  readonly badRecords: InputOptions['badRecords']
}

/** Place of the task's temporary files. */
interface TaskFiles { readonly disk: Disk; readonly directory: string; readonly name: string }

interface HashJoinOptions {
  readonly options: PipelineOptions
  readonly sink: Sink<unknown>
  readonly files: TaskFiles
  readonly shuffled: Record<string, number>
}

type Groups<Group = KeyGroup> =
  Iterable<Group> & { readonly groups: number; readonly records: number; readonly recordsTotal: number; readonly passes: number }

/** Fetching is the first half of a task's progress. */
const fractionOf = (groups: Groups<unknown>) => (): number =>
  0.5 + (groups.recordsTotal === 0 ? 0 : groups.records / groups.recordsTotal / 2)

interface SplitInput { readonly source: SplitSource; readonly read: ReadCounters; readonly fractionOf: () => number }

export class TaskAttempt {
  readonly #options: TaskAttemptOptions
  readonly #stage: Stage
  readonly #branch: Branch
  readonly #stalls: StallWatch | undefined
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
    this.#branch = this.#stage.branches[options.work.branch ?? 0]!
    assert(this.#branch, 'the stage has the branch that the task belongs to')
    const { session: { clock }, started, context } = options
    this.#stalls = started && new StallWatch({ clock, started, note: text => { context.log(text) } })
    this.#turnAt = options.session.clock.mono() + turnMs
    this.#progressAt = options.session.clock.mono() + progressMs
  }

  /** The stage reads its input for a sort, whose own stage reads it again: what the program counts, and what is input, counts there. */
  get #isSampling(): boolean { return this.#stage.isSampling }

  get stacks(): StackMapper { return this.#options.program.stacks }

  get counters(): Record<string, number> {
    const measured = this.#measure()
    if (!this.#isSampling) return { ...measured, ...this.#output?.counters(), ...this.#options.context.userCounters() }
    const { inputRecords: _, inputBytes: __, ...rest } = measured
    return { ...rest, ...this.#output?.counters() }
  }

  /** Throws an error for `toFailure`; the partial output is then removed. */
  async run(): Promise<AttemptOutcome> {
    const { session, work } = this.#options
    const output = this.#output = await openOutput(session, work, this.#stage, this.#options.program.plan.functions)
    try {
      const { started, context } = this.#options
      const turns = new Turns(output.sink.emit)
      const { phase } = context
      const { setup, teardown } = work.output.kind === 'check' ? {} : this.#options.program.plan.hooks
      const quiet = { clock: session.clock, started, turns, counts: context, note: this.#notes() }
      if (this.#options.isFirst) await untilSettled(quiet, 'the module', setup ? 'setup' : phase)
      started?.begin(work.job)
      if (setup) {
        await this.#setup(setup)
        await untilSettled(quiet, 'setup', phase)
        started?.begin(work.job)
      }
      await this.#run(output.sink, turns)
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
    } finally {
      this.#stalls?.close()
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
      const returned = await this.#calling(() => setup(this.#options.context.lendToSetup()), () => [awaited('setup', setup, this.stacks)])
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
      await this.#calling(
        () => receive(teardown(emit, context.lend()), emit, 'teardown'), () => [awaited('teardown', teardown, this.stacks)],
      )
    } catch (error) {
      throw new FunctionFailed(error, {})
    }
    turns.end()
    await sink.settle()
  }

  /** Calls a function of the program and tracks the work that it starts. */
  #call<T>(work: () => T): T {
    const { started } = this.#options
    return started ? started.call(work) : work()
  }

  /** Calls a function of the program, tracks the work that it starts, and notes in the log if it waits for what nothing can settle. */
  #calling<T>(work: () => T, functions: () => readonly AwaitedFunction[]): T {
    const returned = this.#call(work)
    return this.#stalls && isPromise(returned) ? this.#stalls.during(returned, functions) as T : returned
  }

  /** Functions that the steps of the branch may wait for. */
  readonly #waiters = (): AwaitedFunction[] => waitersOf(this.#branch.steps, this.#options.program.plan.functions, this.stacks)

  /** Runs the branch of the task: reads its input, passes it through the steps, and ends them. */
  async #run(sink: Sink<unknown>, turns: Turns): Promise<void> {
    const { session, work } = this.#options
    const opened = await Tables.open(session, work, this.#stage, this.#branch, () => this.#pause())
    try {
      await this.#runWith(sink, turns, opened)
    } finally {
      await opened.close()
    }
  }

  async #runWith(sink: Sink<unknown>, turns: Turns, { tables }: Tables): Promise<void> {
    const { work, program } = this.#options
    const options: PipelineOptions = {
      steps: this.#branch.steps, functions: program.plan.functions, places: program.plan.places, emit: sink.emit, turns,
      contextOf: step => this.#contextOf(step), current: this.#options.context, tables,
      ...work.output.kind === 'files' && { format: work.output.format },
    }
    switch (work.input.kind) {
      case 'split': return this.#split(work.input, options, sink)
      case 'values': return this.#values(work.input, options, sink)
      case 'shuffle': return this.#shuffle(work.input, options, sink)
      case 'join': return this.#join(work.input, options, sink)
      case 'output': return this.#check(work.input)
      default: unreachable(work.input)
    }
  }

  /** Functions of a map-reduce job share a context. A step of a Dataset has its own random numbers, by its node and the task's input. */
  #contextOf(step: StepNode): Context {
    const { context, work: { input, task }, program: { numbers } } = this.#options
    if (step.kind === 'map' || step.kind === 'reduce') return context.lend()
    const part = partOf(input) ?? task
    return context.lendToStep(`${numbers.get(step)} ${numbers.get(this.#branch.source)} ${part}`)
  }

  async #split(input: InputOf<'split'>, options: PipelineOptions, sink: Sink<unknown>): Promise<void> {
    const { source, read, fractionOf } = this.#source(input)
    const [head] = options.steps
    if (head?.kind === 'command') return this.#mapCommand(head, { source, read, fractionOf }, sink)
    await this.#records(
      readRecords(source.ranges(), { input: source.options, counters: read }),
      { options, sink, read, badRecords: source.options.badRecords }, fractionOf,
    )
  }

  #source(input: InputOf<'split'>): SplitInput {
    const source = new SplitSource(this.#options.session, input)
    const read = newReadCounters()
    this.#measure = () => ({
      recordsIn: read.records, bytesIn: read.bytes, inputRecords: read.records, inputBytes: read.bytes,
      bytesReadLocal: source.read.local, bytesReadRack: source.read.rack,
      bytesReadRemote: source.read.remote, ...(source.read.inlined > 0 && { bytesReadInlined: source.read.inlined }),
      ...(read.invalidUtf8Records > 0 && { invalidUtf8Records: read.invalidUtf8Records }),
      ...(read.badRecords > 0 && { badRecords: read.badRecords }),
    })
    const total = input.split.bytes
    return { source, read, fractionOf: () => (total === 0 ? 0 : read.bytes / total) }
  }

  /** Not through `#call`: the processes of a command are no work that functions of the program have left running. */
  async #mapCommand(step: CommandNode, { source, read, fractionOf }: SplitInput, sink: Sink<unknown>): Promise<void> {
    await this.#commanded(step, sink, async parts => {
      const mapper = new MapCommand(parts, this.#options.work.output.kind === 'shuffle')
      for await (const range of source.ranges()) {
        mapper.begin({ path: range.path, start: range.start, length: range.end - range.start })
        await this.#drive(readRaw(range, source.options, read), mapper, sink, fractionOf)
        await mapper.end()
        await sink.settle()
      }
    })
  }

  /** Calls `work` with what a step needs to run commands; afterwards none of their processes is left. */
  async #commanded(step: CommandNode, sink: Sink<unknown>, work: (parts: CommandOptions) => Promise<void>): Promise<void> {
    const { session, work: task, commands, context } = this.#options
    assert(commands, 'this process can run commands')
    const { input } = this.#branch
    const runner = await TaskCommands.open({
      ...commands, disk: session.disk, scratch: session.setup.scratch, node: session.setup.node, work: task, step,
      reducers: task.output.kind === 'shuffle' ? task.output.partitions : input.kind === 'shuffle' ? input.partitions : 0,
      asset: name => context.asset(name), count: (name, by) => context.counter(name, by),
    })
    try {
      const settle = (): Promise<void> | undefined => {
        const settling = sink.settle()
        return settling ? settling.then(() => this.#pause()) : this.#pause()
      }
      await work({ step, runner, emit: sink.emit, settle })
    } finally {
      await runner.close()
    }
  }

  async #check(input: InputOf<'output'>): Promise<void> {
    const { session, work, program: { plan: { functions } }, context } = this.#options
    const { sink } = this.#stage
    assert(sink.kind === 'write' && sink.check !== undefined, 'the plan has a check where the task has')
    const fn = functions[sink.check]!
    await checkOutput({
      session, work: { ...work, input }, written: sink.output, pause: () => this.#pause(),
      check: output => this.#calling(() => fn(output, context.lend()), () => [awaited('check', fn, this.stacks)]),
    })
  }

  async #values({ part, parts }: InputOf<'values'>, options: PipelineOptions, sink: Sink<unknown>): Promise<void> {
    const { input } = this.#branch
    assert(input.kind === 'values', 'the plan has values where the task has')
    const read = newReadCounters()
    this.#measure = () => ({ recordsIn: read.records, inputRecords: read.records })
    const values = options.functions[input.fn] as (part: number, parts: number) => Iterable<unknown>
    await this.#records(
      // Copied: the next task of the process gets the same values.
      batchesOf(() => this.#call(() => values(part, parts)), read, value => copyValue(value, 'from was given')),
      { options, sink, read, badRecords: undefined }, () => 0,
    )
  }

  async #records(
    source: AsyncIterable<Batch> | Iterable<Batch>,
    { options, sink, read, badRecords }: RecordsOptions, fractionOf: () => number,
  ): Promise<void> {
    const { turns } = options
    const pipeline = recordPipeline(options, { badRecords, counters: read, placeOf: () => operator.placeLater() })
    const operator: RecordsOperator = new RecordsOperator(pipeline.push, () => turns.end())
    await this.#drive(source, this.#watched<Batch>(operator, batch => { this.#options.context.path = batch.path }), sink, fractionOf)
    await this.#finish(pipeline, sink)
  }

  async #shuffle({ stage, partition }: InputOf<'shuffle'>, options: PipelineOptions, sink: Sink<unknown>): Promise<void> {
    await this.#gathered([stage], partition, async ([segments], files, shuffled) => {
      const groups = await mergeSegments({ ...files, segments: segments! })
      try {
        const { turns, steps: [head] } = options
        if (head?.kind === 'command') return await this.#reduceCommand(head, groups, shuffled, sink)
        const pipeline = groupPipeline(options)
        await this.#groups(groups, shuffled, new GroupsOperator<KeyGroup>(pipeline.push, {
          onGroup: () => turns.end(), ...head?.kind === 'reduce' && { step: 'reduce' }, hidesKeys: head?.kind === 'ungroup',
        }), sink)
        await this.#finish(pipeline, sink)
      } finally {
        await groups.close()
      }
    })
  }

  async #reduceCommand(step: CommandNode, groups: Groups, shuffled: Record<string, number>, sink: Sink<unknown>): Promise<void> {
    this.#measureGroups(groups, shuffled)
    await this.#commanded(step, sink, async parts => {
      const reducer = reduceCommand(parts)
      await this.#drive(groups, new GroupsOperator<KeyGroup>(reducer.push, { hidesKeys: true }), sink, fractionOf(groups))
      await reducer.finish()
      await sink.settle()
    })
  }

  async #join({ stages, partition }: InputOf<'join'>, options: PipelineOptions, sink: Sink<unknown>): Promise<void> {
    await this.#gathered(stages, partition, async ([left, right], files, shuffled) => {
      const { disk, setup } = this.#options.session
      if (this.#joinsByHash(right!)) return this.#hashJoin(left!, right!, { options, sink, files, shuffled })
      const kept = await ReplayBuffer.open({
        disk, path: `${files.directory}/${files.name}.right`, memoryBytes: setup.memoryBytes * joinShare,
      })
      try {
        const groups = await joinSegments({ ...files, left: left!, right: right! })
        try {
          const pipeline = joinPipeline(options, kept)
          await this.#groups(groups, shuffled, new GroupsOperator<JoinGroup>(pipeline.push), sink)
          await this.#finish(pipeline, sink)
        } finally {
          await groups.close()
        }
      } finally {
        await kept.close()
      }
    })
  }

  /** True if the program wants it and the right side will fit into memory; else it is done by sort-merge, which needs little. */
  #joinsByHash(right: readonly Segment[]): boolean {
    const [step] = this.#branch.steps
    const bytes = right.reduce((sum, segment) => sum + segment.bytes, 0)
    return step?.kind === 'join' && step.strategy === 'hash'
      && bytes * tableGrowth <= this.#options.session.setup.memoryBytes * hashShare
  }

  async #hashJoin(left: readonly Segment[], right: readonly Segment[], { options, sink, files, shuffled }: HashJoinOptions): Promise<void> {
    const { memoryBytes } = this.#options.session.setup
    const table = await JoinTable.open({ ...files, segments: right, memoryBytes: memoryBytes * hashShare, pause: () => this.#pause() })
    try {
      const pipeline = hashPipeline(options, table)
      await this.#groups(groupsInTurn(left), { ...shuffled, hashJoins: 1 }, new GroupsOperator<KeyGroup>(pipeline.push), sink)
      await this.#finish(pipeline, sink)
    } finally {
      await table.close()
    }
  }

  /** Fetches the task's partition of each stage, and calls `work` with the segments. */
  async #gathered(
    stages: readonly number[], partition: number | undefined,
    work: (segments: ReadonlyArray<readonly Segment[]>, files: TaskFiles, shuffled: Record<string, number>) => Promise<void>,
  ): Promise<void> {
    const { session, work: { job, task, attempt } } = this.#options
    const { disk, setup } = session
    const files: TaskFiles = { disk, directory: setup.scratch, name: attempt }
    const inbox = new Inbox({ ...files, memoryBytes: setup.memoryBytes * inboxShare })
    try {
      const sides: Array<readonly Segment[]> = []
      const shuffled = { bytesIn: 0, shuffleBytes: 0, shuffleBytesLocal: 0, shuffleBytesRemote: 0 }
      this.#measure = () => shuffled
      for (const [i, stage] of stages.entries()) {
        // Fetching is the first half of the progress, what follows the second.
        const { segments, bytesLocal, bytesRemote } = await gather(
          session, inbox, { job, stage, partition: partition ?? task },
          fraction => {
            this.#fraction = (i + fraction) / stages.length / 2
            void this.#pause()
          },
        )
        sides.push(segments)
        shuffled.shuffleBytesLocal += bytesLocal
        shuffled.shuffleBytesRemote += bytesRemote
        shuffled.shuffleBytes = shuffled.bytesIn = shuffled.shuffleBytesLocal + shuffled.shuffleBytesRemote
      }
      await work(sides, files, shuffled)
    } finally {
      await inbox.close()
    }
  }

  async #groups<Group>(
    groups: Groups<Group>, shuffled: Record<string, number>, operator: Operator<Group>, sink: Sink<unknown>,
  ): Promise<void> {
    this.#measureGroups(groups, shuffled)
    await this.#drive(groups, this.#watched(operator), sink, fractionOf(groups))
  }

  #measureGroups(groups: Groups<unknown>, shuffled: Record<string, number>): void {
    this.#measure = () => ({ ...shuffled, recordsIn: groups.records, groupsIn: groups.groups, mergePasses: groups.passes })
  }

  async #drive<Item>(
    source: AsyncIterable<Item> | Iterable<Item>, operator: Operator<Item>, sink: Sink<unknown>, fractionOf: () => number,
  ): Promise<void> {
    await drive(source, operator, sink, () => {
      this.#fraction = fractionOf()
      return this.#pause()
    })
  }

  /** Ends the steps: they pass on what they hold. */
  async #finish(pipeline: Step<never>, sink: Sink<unknown>): Promise<void> {
    try {
      const ending = this.#calling(() => pipeline.finish(), this.#waiters)
      if (ending) await ending
    } catch (error) {
      throw error instanceof FunctionFailed ? error : new FunctionFailed(error, {})
    }
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
        return this.#calling(() => operator.push(item), this.#waiters)
      },
      get isFull() { return operator.isFull ?? false },
    }
  }

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

/** Part of the input that a task reads, if it is not its own number. */
function partOf(input: TaskWork['input']): number | undefined {
  switch (input.kind) {
    case 'values': case 'split': return input.part
    case 'shuffle': case 'join': return input.partition
    case 'output': return undefined
    default: return unreachable(input)
  }
}
