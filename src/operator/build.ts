// Builds the pipeline of a task: its steps, from the last to the first, each with the one that follows it. The last step passes pairs or
// values to the sink. All switches over the kinds of steps are here.

import { assert, AssertionFailed, unreachable } from '../base/assert.ts'
import type { InputOptions, OutputFormat } from '../base/formats.ts'
import type { Emit, Key } from '../base/pair.ts'
import type { FunctionIndex, LookupNode, StepNode, StepPlace, UserFunction } from '../plan/node.ts'
import type { ReadCounters } from '../record/records.ts'
import type { Combine } from '../shuffle/combiner.ts'
import type { KeyGroup } from '../shuffle/groups.ts'
import type { JoinGroup } from '../shuffle/join.ts'
import type { ReplayBuffer } from '../shuffle/replay.ts'
import type { JoinTable } from '../shuffle/table.ts'
import { asyncStep, type CurrentRecord, type PlaceOf } from './async.ts'
import { eachStep, limitStep, sampleStep, type ValueFunction } from './each.ts'
import { combined, foldStep, groupStep, regroupStep, ungroupStep, type GroupFunction } from './group.ts'
import { hashJoinStep } from './hash.ts'
import { joinStep, type JoinFunction } from './join.ts'
import { keyStep, sampleKeysStep, topStep } from './keys.ts'
import { lookupStep } from './lookup.ts'
import { mapStep, type MapFunction } from './map.ts'
import { placed } from './misuse.ts'
import type { Push, Step } from './operator.ts'
import { partitionStep, type PartitionFunction } from './partition.ts'
import { reduceStep, type ReduceFunction } from './reduce.ts'
import { encodeStep } from './result.ts'
import { totalStep, type TotalFunction } from './total.ts'
import type { Turns } from './turn.ts'
import { validateStep, type ValidateFunction } from './validate.ts'

export interface PipelineOptions {
  readonly steps: readonly StepNode[]
  readonly functions: readonly UserFunction[]
  /** Table of the plan. */
  readonly places?: readonly StepPlace[] | undefined
  readonly emit: Emit<Key, unknown>
  /** Turns of functions that emit to the same sink. */
  readonly turns: Turns
  /**
   * Passed to the functions of a step. A step that two stages run over the same values draws the same random numbers in both: otherwise a
   * Dataset that is read twice would have two contents.
   */
  readonly contextOf: (step: StepNode) => { random(): number }
  /** The current record; part of the context. Default: there are no files. */
  readonly current?: CurrentRecord | undefined
  /** Tables of the steps that look values up. */
  readonly tables?: ReadonlyMap<LookupNode, JoinTable> | undefined
  /** Format of the output file, if the stage ends in files. */
  readonly format?: OutputFormat | undefined
}

interface RecordOptions {
  readonly badRecords: InputOptions['badRecords']
  readonly counters: ReadCounters
  readonly placeOf: PlaceOf
  /** The branch may end before its input does. */
  readonly endsEarly?: boolean
}

/** Pipeline of a branch that reads records or values. */
export function recordPipeline(options: PipelineOptions, records: RecordOptions): Step<unknown> {
  const { steps, current } = options
  if (current) current.placeOf = records.placeOf
  const endsEarly = steps.slice(0, steps.findIndex(({ kind }) => kind === 'limit')).every(isOneByOne)
  return steps.reduceRight<Step<unknown>>((next, step) => valueStep(step, next, options, { ...records, endsEarly }), lastStep(options))
}

/** The step has passed on all that it makes of a record when the next record comes. */
const isOneByOne = (step: StepNode): boolean =>
  step.kind === 'validate' || step.kind === 'sample' || step.kind === 'each' && step.op !== 'mapAsync'

/** Pipeline of a branch that reads a shuffle. */
export function groupPipeline(options: PipelineOptions): Step<KeyGroup> {
  const { steps, functions, turns, contextOf } = options
  const [head, ...rest] = steps
  // No record is read here: `validate` belongs to files.
  const next = (after: readonly StepNode[]): Step<unknown> =>
    after.reduceRight<Step<unknown>>((following, step) => valueStep(step, following, options), lastStep(options))
  assert(head, 'a branch that reads a shuffle has a step for its groups')
  const step = (push: Push<KeyGroup>, following?: Step<unknown>): Step<KeyGroup> =>
    placed(head, options.places, { push, finish: () => following?.finish() })
  switch (head.kind) {
    case 'reduce': return step(reduceStep(functions[head.fn] as ReduceFunction, turns, contextOf(head)))
    case 'combine': {
      const following = groupPipeline({ ...options, steps: rest })
      const combine = functions[head.fn] as Combine
      const push: Push<KeyGroup> = group => following.push({ key: group.key, values: [combined(combine, group)], end() {} })
      return { push, finish: () => following.finish() }
    }
    case 'regroup': {
      const following = groupPipeline({ ...options, steps: rest })
      const value = head.value === undefined ? undefined : functions[head.value]
      return { push: regroupStep(value, contextOf(head), following), finish: () => following.finish() }
    }
    case 'fold': {
      const following = next(rest)
      return step(foldStep(functions[head.fn] as Combine, following), following)
    }
    case 'group': case 'sortedGroup': {
      const following = next(rest)
      return step(groupStep(functions[head.fn] as GroupFunction, head.flat, contextOf(head), following), following)
    }
    case 'ungroup': {
      const following = next(rest)
      return step(ungroupStep(following), following)
    }
    case 'validate': case 'map': case 'each': case 'sample': case 'partition': case 'key': case 'sampleKeys': case 'top': case 'limit':
    case 'join': case 'lookup': case 'command': case 'total': case 'encode': case 'resources':
      throw new AssertionFailed(`the step ${head.kind} takes no groups`)
    default: return unreachable(head)
  }
}

/** Pipeline of a branch that joins two shuffles. `right`: buffer for the values of one key. */
export function joinPipeline(options: PipelineOptions, right: ReplayBuffer): Step<JoinGroup> {
  const { steps, functions, contextOf } = options
  const [head, ...rest] = steps
  assert(head?.kind === 'join', 'a branch that reads two shuffles joins them')
  const following = rest.reduceRight<Step<unknown>>((next, step) => valueStep(step, next, options), lastStep(options))
  const fn = head.fn === undefined ? undefined : functions[head.fn] as JoinFunction
  const push = joinStep({ how: head.how, fn, context: contextOf(head), right }, following)
  return placed(head, options.places, { push, finish: () => following.finish() })
}

/** Pipeline of a branch that joins two shuffles by hash: it takes the groups of the left one. `right`: the values of the right one. */
export function hashPipeline(options: PipelineOptions, right: JoinTable): Step<KeyGroup> {
  const [head, ...rest] = options.steps
  assert(head?.kind === 'join' && head.how !== 'group', 'a branch that joins by hash joins two shuffles')
  const following = rest.reduceRight<Step<unknown>>((next, step) => valueStep(step, next, options), lastStep(options))
  return placed(head, options.places, hashJoinStep(head.how, right, following))
}

function valueStep(step: StepNode, next: Step<unknown>, options: PipelineOptions, records?: RecordOptions): Step<unknown> {
  return placed(step, options.places, bareStep(step, next, options, records))
}

const noRecord = (): CurrentRecord => ({ path: '', placeOf: () => undefined })

function bareStep(
  step: StepNode, next: Step<unknown>, { functions, emit, turns, contextOf, tables, current = noRecord() }: PipelineOptions,
  records?: RecordOptions,
): Step<unknown> {
  const context = contextOf(step)
  const random = (): number => context.random()
  const fn = (index: FunctionIndex): ValueFunction => functions[index]!
  switch (step.kind) {
    case 'validate':
      assert(records, 'only records of files are validated')
      return validateStep(functions[step.fn] as ValidateFunction, records, next)
    case 'map': return { push: mapStep(functions[step.fn] as MapFunction, turns, context), finish: () => undefined }
    case 'each':
      if (step.op !== 'mapAsync') return eachStep(step.op, fn(step.fn), context, next)
      return asyncStep({ fn: fn(step.fn), concurrency: step.concurrency!, context, current }, next)
    case 'sample': return sampleStep(step.fraction, random, next)
    case 'partition': return partitionStep(functions[step.fn] as PartitionFunction, context, current, next)
    case 'key': return keyStep({
      ...step.key !== undefined && { key: fn(step.key) }, ...step.value !== undefined && { value: fn(step.value) },
    }, context, emit)
    case 'sampleKeys': return sampleKeysStep(fn(step.key), context, random, emit)
    case 'top': return topStep(step.count, fn(step.key), context, emit)
    case 'limit': return limitStep(step.count, next, records?.endsEarly ?? false)
    case 'total': return totalStep(functions[step.fn] as TotalFunction, next)
    case 'encode': return encodeStep(next, step.whole === true)
    case 'lookup': {
      const table = tables?.get(step)
      assert(table, 'the table of a join is read before its values')
      return lookupStep({ how: step.how, build: step.build, key: fn(step.key), context, table }, next)
    }
    case 'combine': case 'reduce': case 'fold': case 'group': case 'sortedGroup': case 'ungroup': case 'regroup':
    case 'join': case 'command': case 'resources':
      throw new AssertionFailed(`the step ${step.kind} takes no values`)
    default: return unreachable(step)
  }
}

/** Values go to the sink without a key, except that a pair [key, value] is written to a text file as a key and a value. */
function lastStep({ emit, format }: Pick<PipelineOptions, 'emit' | 'format'>): Step<unknown> {
  const push: Push<unknown> = format === 'text'
    ? value => {
        if (Array.isArray(value) && value.length === 2 && value[0] !== null && value[0] !== undefined) emit(value[0] as Key, value[1])
        else emit(null, value)
        return undefined
      }
    : value => {
        emit(null, value)
        return undefined
      }
  return { push, finish: () => undefined }
}
