// Runs one attempt: connects its source, the steps of its branch (src/operator/build.ts) and its sink, drives them, and reports counters
// and progress. A task reads a split, values of the program, or a partition of one shuffle or of two; its output is a map output on this
// machine or a file of the cluster.

import { assert, unreachable } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { InputOptions } from '../../src/base/formats.ts'
import type { Counters } from '../../src/protocol/fields.ts'
import type { TaskParts, TaskWork } from '../../src/protocol/task.ts'
import type { CommandNode, StepNode } from '../../src/plan/node.ts'
import type { Context } from '../../src/program/definition.ts'
import type { PlannedProgram } from '../../src/plan/planof.ts'
import { stagesOf, type Branch, type Stage } from '../../src/plan/stage.ts'
import { groupPipeline, recordPipeline, type PipelineOptions } from '../../src/operator/build.ts'
import { MapCommand, reduceCommand, type CommandOptions } from '../../src/operator/command.ts'
import { drive } from '../../src/operator/drive.ts'
import { GroupBatches, GroupsOperator, inBatches } from '../../src/operator/groupsoperator.ts'
import { FunctionFailed, type Operator, type Sink, type Step } from '../../src/operator/operator.ts'
import { RecordsOperator } from '../../src/operator/recordsoperator.ts'
import { Turns } from '../../src/operator/turn.ts'
import type { Commands } from '../../src/ports/command.ts'
import type { Started } from '../../src/ports/started.ts'
import { batchesOf, newReadCounters, type Batch, type ReadCounters } from '../../src/record/records.ts'
import { readRaw } from '../../src/record/raw.ts'
import { readRecords } from '../../src/record/reader.ts'
import { groupsByFirst } from '../../src/shuffle/firstgroups.ts'
import { mergeSegments, type KeyGroup } from '../../src/shuffle/groups.ts'
import { valueOfLine } from '../../src/shuffle/lines.ts'
import { copyValue } from '../../src/shuffle/value.ts'
import type { StackMapper } from '../../src/program/stack.ts'
import type { TaskContext } from './context.ts'
import { gathered, type GatheredSides, type Groups } from './gathered.ts'
import { SplitSource } from './input.ts'
import { joinGathered } from './joined.ts'
import type { ExecutorSession } from './session.ts'
import type { AttemptOutcome } from './messages.ts'
import { Tables } from './broadcast.ts'
import { TaskCommands } from './taskcommands.ts'
import { checkOutput } from './outputcheck.ts'
import { openOutput, type OpenOutput } from './taskoutput.ts'
import { untilQuiet, untilSettled } from './quiet.ts'
import { awaited, waitersOf, type AwaitedFunction } from './stalled.ts'
import { UserCalls } from './usercalls.ts'

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

type InputOf<K extends TaskWork['input']['kind']> = Extract<TaskWork['input'], { kind: K }>

interface RecordsOptions {
  readonly options: PipelineOptions
  readonly sink: Sink<unknown>
  readonly read: ReadCounters
  readonly badRecords: InputOptions['badRecords']
}

/** Fetching is the first half of a task's progress. */
const fractionOf = (groups: Groups<unknown>) => (): number =>
  0.5 + (groups.recordsTotal === 0 ? 0 : groups.records / groups.recordsTotal / 2)

/** Parts of two stages that a task joins. */
interface JoinParts {
  readonly partitions: readonly number[]
  readonly slice: TaskParts['slice']
  readonly table: boolean
}

interface SplitInput { readonly source: SplitSource; readonly read: ReadCounters; readonly fractionOf: () => number }

export class TaskAttempt {
  readonly #options: TaskAttemptOptions
  readonly #stage: Stage
  readonly #branch: Branch
  readonly #calls: UserCalls
  /** Counters of the phase that runs; the sink has its own. */
  #measure: () => Record<string, number> = () => ({})
  /** Counters of the partitions before, of a task that has several. */
  #before: Readonly<Record<string, number>> = {}
  #part: { readonly partition?: number; readonly done: number; readonly count: number } = { done: 0, count: 1 }
  #output: OpenOutput | undefined
  #splitSource: SplitSource | undefined
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
    this.#calls = new UserCalls({ clock, context, started, stacks: this.stacks })
    this.#turnAt = options.session.clock.mono() + turnMs
    this.#progressAt = options.session.clock.mono() + progressMs
  }

  /** The stage reads its input for a sort, whose own stage reads it again: what the program counts, and what is input, counts there. */
  get #isSampling(): boolean { return this.#stage.isSampling }

  get stacks(): StackMapper { return this.#options.program.stacks }

  #measured(): Record<string, number> {
    const measured: Record<string, number> = { ...this.#before }
    for (const [name, value] of Object.entries(this.#measure())) measured[name] = (measured[name] ?? 0) + value
    return measured
  }

  get counters(): Record<string, number> {
    const measured = this.#measured()
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
      const changed = this.#options.program.watch?.()
      if (setup) {
        await this.#calls.setup(setup)
        await untilSettled(quiet, 'setup', phase)
        started?.begin(work.job)
      }
      await this.#run(output.sink, turns)
      if (teardown) {
        await untilSettled(quiet, phase, 'teardown')
        await this.#calls.teardown(teardown, turns, output.sink)
      }
      await untilQuiet(quiet, phase)
      const name = changed?.()
      if (name !== undefined) throw sharedChanged(name)
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
      this.#calls.close()
      await this.#splitSource?.close()
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
      case 'parts': return this.#partsOf(work.input, options, sink)
      case 'output': return this.#check(work.input)
      default: unreachable(work.input)
    }
  }

  /** Functions of a map-reduce job share a context. A step of a Dataset has its own random numbers, by its node and the task's input. */
  #contextOf(step: StepNode): Context {
    const { context, work: { input, task }, program: { numbers } } = this.#options
    if (step.kind === 'map' || step.kind === 'reduce') return context.lend()
    const part = this.#part.partition ?? partOf(input) ?? task
    return context.lendToStep(`${numbers.get(step)} ${numbers.get(this.#branch.source)} ${part}`)
  }

  async #split(input: InputOf<'split'>, options: PipelineOptions, sink: Sink<unknown>): Promise<void> {
    const { source, read, fractionOf } = this.#source(input)
    const [head] = options.steps
    if (head?.kind === 'command') return this.#mapCommand(head, { source, read, fractionOf }, sink)
    const { session: { decoded, loadAvro } } = this.#options
    const lines = (): AsyncIterable<Batch> => readRecords(source.ranges(), { input: source.options, counters: read, loadAvro })
    const records = { options, sink, read, badRecords: source.options.badRecords }
    if (head?.kind !== 'each' || options.functions[head.fn] !== valueOfLine) return this.#records(lines(), records, fractionOf)
    const { ranges } = input.split
    if (decoded.has(ranges)) await source.check()
    const { batches, decode } = decoded.open(ranges, lines, read)
    const functions = options.functions.with(head.fn, decode)
    await this.#records(batches, { ...records, options: { ...options, functions } }, fractionOf)
  }

  #source(input: InputOf<'split'>): SplitInput {
    const source = this.#splitSource = new SplitSource(this.#options.session, input)
    const read = newReadCounters()
    this.#measure = () => ({
      recordsIn: read.records, bytesIn: read.bytes, inputRecords: read.records, inputBytes: read.bytes,
      bytesReadLocal: source.read.local, bytesReadRack: source.read.rack,
      bytesReadRemote: source.read.remote, ...(source.read.inlined > 0 && { bytesReadInlined: source.read.inlined }),
      ...(source.read.outside > 0 && { bytesReadOutside: source.read.outside }),
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
      check: output => this.#calls.calling(() => fn(output, context.lend()), () => [awaited('check', fn, this.stacks)]),
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
      batchesOf(() => this.#calls.call(() => values(part, parts)), read, value => copyValue(value, 'from was given')),
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

  /**
   * Runs the partitions of a task that adaptive rules have made, each as a task of its own would: with its own steps and random numbers.
   * What they pass on goes to one output.
   */
  async #partsOf(
    { stages, parts: { ranges, slice, table } }: InputOf<'parts'>, options: PipelineOptions, sink: Sink<unknown>,
  ): Promise<void> {
    const partitions = ranges.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i))
    if (table) return this.#join({ kind: 'join', stages, partition: partitions[0] ?? 0 }, options, sink, { partitions, slice, table })
    for (const [done, partition] of partitions.entries()) {
      this.#part = { partition, done, count: partitions.length }
      const [stage] = stages
      if (stages.length === 1) await this.#shuffle({ kind: 'shuffle', stage: stage!, partition }, options, sink)
      else await this.#join({ kind: 'join', stages, partition }, options, sink, { slice })
      this.#before = this.#measured()
      this.#measure = () => ({})
    }
  }

  async #shuffle({ stage, partition }: InputOf<'shuffle'>, options: PipelineOptions, sink: Sink<unknown>): Promise<void> {
    const partitions = [partition ?? this.#options.work.task]
    await this.#gathered({ stages: [stage], partitions }, async ({ sides: [segments], files }, shuffled) => {
      const merged = await mergeSegments({ ...files, segments: segments!, origins: sink.origins })
      try {
        const { turns, steps: [head] } = options
        const groups = head?.kind === 'sortedGroup' ? groupsByFirst(merged) : merged
        if (head?.kind === 'command') return await this.#reduceCommand(head, groups, shuffled, sink)
        const pipeline = groupPipeline(options)
        await this.#groups(groups, shuffled, new GroupsOperator<KeyGroup>(pipeline.push, {
          onGroup: () => turns.end(), ...head?.kind === 'reduce' && { step: 'reduce' }, hidesKeys: head?.kind === 'ungroup',
        }), sink)
        await this.#finish(pipeline, sink)
      } finally {
        await merged.close()
      }
    })
  }

  async #reduceCommand(step: CommandNode, groups: Groups, shuffled: Record<string, number>, sink: Sink<unknown>): Promise<void> {
    this.#measureGroups(groups, shuffled)
    await this.#commanded(step, sink, async parts => {
      const reducer = reduceCommand(parts)
      const operator = new GroupsOperator<KeyGroup>(reducer.push, { hidesKeys: true })
      await this.#drive(inBatches(groups), new GroupBatches(operator, sink), sink, fractionOf(groups))
      await reducer.finish()
      await sink.settle()
    })
  }

  #join(
    { stages, partition }: InputOf<'join'>, options: PipelineOptions, sink: Sink<unknown>,
    { partitions = [partition], slice, table = false }: Partial<JoinParts> = {},
  ): Promise<void> {
    const { memoryBytes } = this.#options.session.setup
    return this.#gathered({ stages, partitions, slice }, (found, shuffled) => joinGathered({
      ...found, table, options, memoryBytes, pause: () => this.#pause(), finish: pipeline => this.#finish(pipeline, sink),
      drive: (groups, operator, counters) => this.#groups(groups, { ...shuffled, ...counters }, operator, sink),
    }))
  }

  /** Fetches partitions of each stage, and calls `work`. */
  async #gathered(
    wanted: { readonly stages: readonly number[] } & Pick<JoinParts, 'partitions'> & Partial<JoinParts>,
    work: (found: GatheredSides, shuffled: Record<string, number>) => Promise<void>,
  ): Promise<void> {
    const { session, work: task } = this.#options
    const shuffled = { bytesIn: 0, shuffleBytes: 0, shuffleBytesLocal: 0, shuffleBytesRemote: 0 }
    this.#measure = () => shuffled
    const onFraction = (fraction: number): void => {
      this.#advance(fraction / 2)
      void this.#pause()
    }
    await gathered({ session, work: task, ...wanted, shuffled, onFraction }, found => work(found, shuffled))
  }

  async #groups<Group>(
    groups: Groups<Group>, shuffled: Record<string, number>, operator: Operator<Group>, sink: Sink<unknown>,
  ): Promise<void> {
    this.#measureGroups(groups, shuffled)
    await this.#drive(inBatches(groups), this.#watched(new GroupBatches(operator, sink)), sink, fractionOf(groups))
  }

  #measureGroups(groups: Groups<unknown>, shuffled: Record<string, number>): void {
    this.#measure = () => ({ ...shuffled, recordsIn: groups.records, groupsIn: groups.groups, mergePasses: groups.passes })
  }

  async #drive<Item>(
    source: AsyncIterable<Item> | Iterable<Item>, operator: Operator<Item>, sink: Sink<unknown>, fractionOf: () => number,
  ): Promise<void> {
    await drive(source, operator, sink, () => {
      this.#advance(fractionOf())
      return this.#pause()
    })
  }

  /** The task has done this share of its input, or of one of its partitions. */
  #advance(fraction: number): void { this.#fraction = (this.#part.done + fraction) / this.#part.count }

  /** Ends the steps: they pass on what they hold. */
  async #finish(pipeline: Step<never>, sink: Sink<unknown>): Promise<void> {
    try {
      const ending = this.#calls.calling(() => pipeline.finish(), this.#waiters)
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
        return this.#calls.calling(() => operator.push(item), this.#waiters)
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

const sharedChanged = (name: string): GristmillError => new GristmillError(
  'PROGRAM_INVALID',
  `a function of the step has changed ${name}; tasks share it, and which of them would see the change differs from run to run: ` +
  'change a copy (structuredClone)',
)

/** Part of the input that a task reads, if it is not its own number. */
function partOf(input: TaskWork['input']): number | undefined {
  switch (input.kind) {
    case 'values': case 'split': return input.part
    case 'shuffle': case 'join': return input.partition
    case 'parts': return input.parts.ranges[0]?.[0]
    case 'output': return undefined
    default: return unreachable(input)
  }
}
