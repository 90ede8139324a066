// Runs a plan in this process: its stages one after the other, each task with the product's pipelines, map outputs and merges, in a scratch
// directory. Files are given as arrays of lines, one split each. For tests that compare plans with an oracle.

import { mkdirSync } from 'node:fs'
import type { Key } from '../../../../src/base/pair.ts'
import type { CurrentRecord } from '../../../../src/operator/async.ts'
import { groupPipeline, hashPipeline, joinPipeline, recordPipeline, type PipelineOptions } from '../../../../src/operator/build.ts'
import { drive } from '../../../../src/operator/drive.ts'
import { GroupsOperator } from '../../../../src/operator/groupsoperator.ts'
import type { Sink } from '../../../../src/operator/operator.ts'
import { RecordsOperator } from '../../../../src/operator/recordsoperator.ts'
import { ShuffleSink } from '../../../../src/operator/shufflesink.ts'
import { Turns } from '../../../../src/operator/turn.ts'
import { adapted } from '../../../../namenode/jobs/scheduler/adapt.ts'
import { adaptOf } from '../../../../src/plan/adaptive.ts'
import { planDataflow } from '../../../../src/plan/dataflow.ts'
import { numbersOf, type LookupNode, type Plan, type PlanNode } from '../../../../src/plan/node.ts'
import { planBy, type PlanChoices } from '../../../../src/plan/choices.ts'
import { rules } from '../../../../src/plan/rules.ts'
import { stagesOf, type BranchInput, type Stage } from '../../../../src/plan/stage.ts'
import { program } from '../../../../src/program/dataflow.ts'
import type { Sources } from '../../../../src/program/sources.ts'
import { batchesOf, newReadCounters, type Batch } from '../../../../src/record/records.ts'
import type { Combine } from '../../../../src/shuffle/combiner.ts'
import { groupsByFirst } from '../../../../src/shuffle/firstgroups.ts'
import { groupsInTurn, mergeSegments } from '../../../../src/shuffle/groups.ts'
import { joinSegments } from '../../../../src/shuffle/join.ts'
import { MapOutput, type MapOutputResult } from '../../../../src/shuffle/mapoutput.ts'
import type { Partitioner } from '../../../../src/shuffle/partition.ts'
import { KeyRanges } from '../../../../src/shuffle/ranges.ts'
import { ReplayBuffer } from '../../../../src/shuffle/replay.ts'
import { JoinTable } from '../../../../src/shuffle/table.ts'
import type { Segment } from '../../../../src/shuffle/segment.ts'
import { copyValue } from '../../../../src/shuffle/value.ts'
import type { TaskParts } from '../../../../src/protocol/task.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { dice } from '../../../kit/dice.ts'
import { batchOf, MemorySink } from './kit.ts'
import { scratch, segmentsOf } from '../shuffle/kit.ts'

interface EngineOptions {
  /** Splits of the files that each path names: the records of each split. */
  readonly files?: Readonly<Record<string, ReadonlyArray<readonly unknown[]>>>
  /** Partitions of shuffles that leave it open. */
  readonly partitions?: number
  readonly memoryBytes?: number
  readonly fanIn?: number
  /** Names of the adaptive rules that are applied, as to partitions of `partitionBytes` (default: 256); default: none. */
  readonly adaptive?: readonly string[]
  readonly partitionBytes?: number
  /** Called with the name of each adaptive rule that has rewritten a stage. */
  readonly onAdapted?: (rule: string) => void
  /** One task reads all splits of a path, which are files named by the first characters of their values. */
  readonly oneTask?: boolean
}

/** What a task computes: a split or a partition; or a slice of one; or of several together, by a table of the other side. */
interface TaskRun {
  readonly task: number
  readonly partitions?: readonly number[]
  readonly slice?: TaskParts['slice']
  readonly table?: boolean | undefined
}

export const allRules = rules.map(({ name }) => name)

/** Plan of a program's function. */
export async function planned(describe: (mill: Sources) => void | Promise<void>): Promise<Plan> {
  return planDataflow(await program(describe).build({}))
}

/** What the program saves: the emitted pairs of each task of the last stage. */
export async function run(
  describe: (mill: Sources) => void | Promise<void>, options: EngineOptions = {}, choices: PlanChoices = { rules: allRules },
): Promise<Array<Array<[Key, unknown]>>> {
  return runPlan(planBy(await planned(describe), choices), options)
}

/** The emitted pairs of each task of a plan's last stage. */
export const runPlan = async (plan: Plan, options: EngineOptions = {}): Promise<Array<Array<[Key, unknown]>>> =>
  new Engine(plan, options, await scratch()).run()

/** The values that the program saves, part by part. */
export const valuesOf = async (...given: Parameters<typeof run>): Promise<unknown[][]> =>
  (await run(...given)).map(part => part.map(([key, value]) => (key === null ? value : [key, value])))

class Engine {
  readonly #plan: Plan
  readonly #options: EngineOptions
  readonly #directory: string
  readonly #stages: readonly Stage[]
  readonly #numbers: ReadonlyMap<PlanNode, number>
  readonly #outputs: MapOutputResult[][] = []
  #tasks = 0

  constructor(plan: Plan, options: EngineOptions, directory: string) {
    this.#plan = plan
    this.#options = options
    this.#directory = directory
    this.#stages = stagesOf(plan)
    this.#numbers = numbersOf(plan.root)
  }

  async run(): Promise<Array<Array<[Key, unknown]>>> {
    mkdirSync(this.#directory, { recursive: true })
    const parts: Array<Array<[Key, unknown]>> = []
    for (const [index, stage] of this.#stages.entries()) {
      const outputs: MapOutputResult[] = this.#outputs[index] = []
      for (const { branch, runs } of this.#tasksOf(stage)) {
        const sink = stage.output.kind === 'files' ? new MemorySink() : new ShuffleSink(await this.#open(stage))
        for (const each of runs) await this.#task(stage, branch, each, sink)
        if (sink instanceof MemorySink) parts.push(sink.got)
        else outputs.push(await sink.finish())
      }
    }
    return parts
  }

  /** Tasks of a stage: one for each split or partition, or what adaptive rules make of them. */
  #tasksOf(stage: Stage): Array<{ readonly branch: number; readonly runs: readonly TaskRun[] }> {
    const made = this.#adapted(stage)
    if (made)
      return made.map(({ ranges, slice, table }) => {
        const partitions = ranges.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i))
        return { branch: 0, runs: table ? [{ task: partitions[0]!, partitions, slice, table }] : partitions.map(task => ({ task, slice })) }
      })
    return stage.branches.flatMap(({ input }, branch) =>
      Array.from({ length: this.#count(input) }, (_, task) => ({ branch, runs: [{ task }] })))
  }

  #adapted(stage: Stage): readonly TaskParts[] | undefined {
    const { adaptive = [], partitionBytes = 256, onAdapted } = this.#options
    const isOff = (rule: string): boolean => !adaptive.includes(rule)
    const adapt = adaptOf(stage, this.#stages, this.#plan, { partitionBytes, partitions: undefined, isOff })
    const { input } = stage.branches[0]!
    if (!adapt || (input.kind !== 'shuffle' && input.kind !== 'join')) return undefined
    const sides = (input.kind === 'join' ? input.stages : [input.stage]).map(side => {
      const outputs = this.#outputs[side]!
      const count = this.#partitionsOf(side)
      const bytes = Array.from({ length: count }, (_, p) => outputs.reduce((sum, output) => sum + output.partitions[p]!.bytes, 0))
      return { bytes, tasks: outputs.length }
    })
    const made = adapted(adapt, sides)
    for (const { rule } of made?.rules ?? []) onAdapted?.(rule)
    return made?.tasks
  }

  #partitionsOf(stage: number): number {
    const { output } = this.#stages[stage]!
    return output.kind === 'shuffle' && output.partitions > 0 ? output.partitions : this.#options.partitions ?? 1
  }

  #count(input: BranchInput): number {
    switch (input.kind) {
      case 'files': return this.#splits(input).length
      case 'values': return input.parts
      case 'shuffle': return this.#partitionsOf(input.stage)
      case 'join': return this.#partitionsOf(input.stages[0]!)
      case 'output': return 1
    }
  }

  #splits({ paths = [] }: Extract<BranchInput, { kind: 'files' }>): ReadonlyArray<readonly unknown[]> {
    const splits = paths.flatMap(path => this.#options.files?.[path] ?? [])
    return this.#options.oneTask ? [splits] : splits
  }

  #batches(records: readonly unknown[]): Batch[] {
    return this.#options.oneTask
      ? (records as string[][]).map(file => batchOf(file, `/in/${file[0]![0]}`))
      : [batchOf(records)]
  }

  async #open({ sink, combine, broadcasts, output }: Stage): Promise<MapOutput> {
    const { functions } = this.#plan
    const partitions = output.kind === 'shuffle' && output.partitions > 0 ? output.partitions : this.#options.partitions ?? 1
    const partition = sink.kind === 'shuffle' ? sink.partition : undefined
    const samples: unknown[] = []
    const ranges = sink.kind === 'shuffle' && sink.ranges === true
    for (const stage of ranges ? broadcasts.slice(0, 1) : []) {
      const groups = await mergeSegments({ ...this.#files('sample'), segments: await segmentsOf(this.#outputs[stage]!, 0) })
      for (const { values } of groups) samples.push(...values)
    }
    return MapOutput.open({
      partitions, disk: localDisk, directory: this.#directory, name: `t${this.#tasks++}`,
      memoryBytes: this.#options.memoryBytes ?? 1 << 20, fanIn: this.#options.fanIn,
      ...combine !== undefined && { combine: functions[combine] as Combine },
      ...partition !== undefined && { partitioner: functions[partition] as Partitioner },
      ...ranges && { ranges: KeyRanges.of(samples, partitions) },
    })
  }

  #files(name: string) {
    return { disk: localDisk, directory: this.#directory, name: `${name}${this.#tasks++}`, fanIn: this.#options.fanIn }
  }

  async #task(stage: Stage, branch: number, run: TaskRun, sink: Sink<unknown>): Promise<void> {
    const tables = new Map<LookupNode, JoinTable>()
    for (const step of stage.branches[branch]!.steps) {
      if (step.kind !== 'lookup') continue
      const segments = await segmentsOf(this.#outputs[stage.lookups.get(step)!]!, 0)
      tables.set(step, await this.#table(segments, step.how === 'semi' || step.how === 'anti'))
    }
    await this.#run(stage, branch, run, sink, tables)
    for (const table of tables.values()) await table.close()
  }

  #table(segments: readonly Segment[], keysOnly: boolean): Promise<JoinTable> {
    return JoinTable.open({ ...this.#files('table'), segments, keysOnly, memoryBytes: this.#options.memoryBytes ?? 1 << 20 })
  }

  async #run(
    stage: Stage, branch: number, { task, partitions = [task], slice, table: isTable }: TaskRun, sink: Sink<unknown>,
    tables: ReadonlyMap<LookupNode, JoinTable>,
  ): Promise<void> {
    const { input, steps, source } = stage.branches[branch]!
    const { functions } = this.#plan
    const current: CurrentRecord = { path: '', placeOf: () => undefined }
    const options: PipelineOptions = {
      current, tables,
      steps, functions, places: this.#plan.places, emit: sink.emit, turns: new Turns(sink.emit),
      contextOf: step => {
        const random = dice(this.#numbers.get(step)! * 1_000_003 + this.#numbers.get(source)! * 1009 + task)
        return {
          random: () => random.below(1 << 30) / (1 << 30), get path() { return current.path },
          get offset() { return current.placeOf()?.()?.offset },
        }
      },
      ...stage.output.kind === 'files' && { format: stage.output.format },
    }
    const pause = () => undefined
    switch (input.kind) {
      case 'files': case 'values': {
        const counters = newReadCounters()
        const pipeline = recordPipeline(options, { badRecords: undefined, counters, placeOf: () => operator.placeLater() })
        const batches = input.kind === 'files'
          ? this.#batches(this.#splits(input)[task]!)
          : batchesOf(
              () => functions[input.fn]!(task, input.parts) as Iterable<unknown>, counters, value => copyValue(value, 'from was given'),
            )
        const operator: RecordsOperator = new RecordsOperator(pipeline.push)
        await drive(batches, { push: batch => { current.path = batch.path; return operator.push(batch) } }, sink, pause)
        await pipeline.finish()
        return
      }
      case 'shuffle': {
        const groups = await mergeSegments({ ...this.#files('merge'), segments: await segmentsOf(this.#outputs[input.stage]!, task) })
        const pipeline = groupPipeline(options)
        await drive(steps[0]?.kind === 'sortedGroup' ? groupsByFirst(groups) : groups, new GroupsOperator(pipeline.push), sink, pause)
        await pipeline.finish()
        await groups.close()
        return
      }
      case 'join': {
        const [left, right] = await Promise.all(input.stages.map(async (stageRead, side) => {
          const outputs = slice?.side === side ? this.#outputs[stageRead]!.slice(slice.from, slice.to) : this.#outputs[stageRead]!
          return (await Promise.all(partitions.map(partition => segmentsOf(outputs, partition)))).flat()
        })) as [Segment[], Segment[]]
        const [head] = steps
        if (head?.kind === 'join' && (isTable || head.strategy === 'hash')) {
          const table = await this.#table(right, false)
          const pipeline = hashPipeline(options, table)
          await drive(groupsInTurn(left), new GroupsOperator(pipeline.push), sink, pause)
          await pipeline.finish()
          return table.close()
        }
        const kept = await ReplayBuffer.open({
          disk: localDisk, path: `${this.#directory}/right${this.#tasks++}`, memoryBytes: this.#options.memoryBytes ?? 1 << 20,
        })
        const groups = await joinSegments({ ...this.#files('join'), left, right })
        const pipeline = joinPipeline(options, kept)
        await drive(groups, new GroupsOperator(pipeline.push), sink, pause)
        await pipeline.finish()
        await groups.close()
        await kept.close()
      }
    }
  }
}
