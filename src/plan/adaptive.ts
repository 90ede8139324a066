// Adaptive rules that a stage allows. The namenode applies them once the sizes of its input are known (namenode/jobs/scheduler/adapt.ts).
// A rewrite changes which task computes a partition, and never what is computed of it, so that most stages may be rewritten; the limits are
// those of what a program can see: the number of its files, functions that are called for a partition without values, and for joins, of
// which several tasks may compute one partition, functions that take the context.

import type { Adapt } from '../protocol/job.ts'
import type { JoinKind, PlanNode, PlanShape, ShuffleNode, StepNode } from './node.ts'
import { aboutFunctions, type PlanFacts } from './rule.ts'
import type { Stage } from './stage.ts'

export const adaptiveRules = [
  { name: 'merge-partitions', about: 'a task reads several small partitions' },
  { name: 'drop-empty-partitions', about: 'partitions that cannot give a value have no tasks' },
  { name: 'split-partitions', about: 'several tasks join a partition that is much larger than others' },
  { name: 'switch-joins', about: 'a side of a join that turns out small becomes a table, and the other one is not moved by key' },
] as const

export type AdaptiveRule = typeof adaptiveRules[number]['name']

interface AdaptiveOptions {
  /** Bytes of a partition, where neither the program nor the run sets the number of partitions. */
  readonly partitionBytes: number
  /** Number of partitions that the run sets. */
  readonly partitions: number | undefined
  readonly isOff: (rule: AdaptiveRule) => boolean
}

/**
 * A task takes some 20 ms beside its work: neighbours of together a sixteenth of a partition, 4 MiB of 64 MiB, are one task. Larger ones
 * stay apart, because their functions may take long.
 */
const mergeShare = 1 / 16
/** As Spark, which splits partitions above 256 MiB. */
const splitShare = 4
/** As the choice of joins before the job: 10 MiB of 64 MiB. */
const tableShare = 10 / 64

/** For each kind of join the lists of sides that give nothing if all sides of the list are empty. */
const emptySides: Readonly<Record<JoinKind, number[][]>> = {
  inner: [[0], [1]], left: [[0]], semi: [[0]], anti: [[0]], right: [[1]], full: [[0, 1]], group: [[0, 1]],
}
/** Sides that several tasks may divide among them: each of its values meets all partners. */
const dividedSides: Readonly<Record<JoinKind, number[]>> = {
  inner: [0, 1], left: [0], semi: [0], anti: [0], right: [1], full: [], group: [],
}

/** Undefined: each partition has its task. */
export function adaptOf(
  { branches, sink, output }: Stage, stages: readonly Stage[], { facts, hooks }: PlanShape, options: AdaptiveOptions,
): Adapt | undefined {
  const [branch] = branches
  if (branches.length !== 1 || !branch || Object.keys(hooks).length > 0 || output.kind === 'check') return undefined
  const { input, steps } = branch
  if (input.kind !== 'shuffle' && input.kind !== 'join') return undefined
  if (steps.some(({ kind }) => kind === 'map' || kind === 'reduce' || kind === 'command')) return undefined
  const shuffles = (input.kind === 'join' ? input.stages : [input.stage]).map(stage => stages[stage]!.sink as ShuffleNode & PlanNode)
  const { isOff, partitionBytes } = options
  const isOpen = options.partitions === undefined
    && shuffles.every(({ auto, exact, partitions }) => auto && !exact && partitions === undefined)
  // The files of an output are those of its partitions, whose number the program may have chosen. A result has none that it sees.
  const isFree = isOpen || sink.kind === 'shuffle' || sink.result === true
  const join = steps[0]?.kind === 'join' ? steps[0] : undefined
  const isDivisible = isFree && join !== undefined && isPlainJoin(steps, aboutFunctions(facts))
  const empty = input.kind === 'shuffle' ? [[0]] : join ? emptySides[join.how] : []
  const split = isDivisible && dividedSides[join.how].length > 0 && !isOff('split-partitions')
  const table = isDivisible && join.strategy === undefined && dividedSides[join.how].includes(0) && !isOff('switch-joins') && isOpen
  const adapt: Adapt = {
    ...isOpen && !isOff('merge-partitions') && { mergeBytes: Math.ceil(partitionBytes * mergeShare) },
    ...isFree && empty.length > 0 && steps.every(isQuiet) && !isOff('drop-empty-partitions') && { empty },
    ...split && { split: { bytes: partitionBytes * splitShare, sides: dividedSides[join.how] } },
    ...table && { table: { bytes: Math.ceil(partitionBytes * tableShare), taskBytes: partitionBytes, sides: [1] } },
  }
  return Object.keys(adapt).length > 0 ? adapt : undefined
}

/** The rules that a stage allows. */
export function rulesOf({ mergeBytes, empty, split, table }: Adapt): AdaptiveRule[] {
  const allowed: Record<AdaptiveRule, boolean> = {
    'merge-partitions': mergeBytes !== undefined, 'drop-empty-partitions': empty !== undefined,
    'split-partitions': split !== undefined, 'switch-joins': table !== undefined,
  }
  return adaptiveRules.flatMap(({ name }) => (allowed[name] ? [name] : []))
}

/** The step passes nothing on if nothing comes. */
const isQuiet = ({ kind }: StepNode): boolean => kind !== 'partition' && kind !== 'sampleKeys'

/** The rows of the join do not depend on the task that computes them, nor on its other rows. */
function isPlainJoin([join, ...steps]: readonly StepNode[], { isPlain }: Pick<PlanFacts, 'isPlain'>): boolean {
  if (join?.kind !== 'join' || join.fn !== undefined) return false
  return steps.every(step => {
    switch (step.kind) {
      case 'each': return step.op !== 'peek' && step.op !== 'mapAsync' && isPlain(step.fn)
      case 'key': return step.key !== undefined && isPlain(step.key) && isPlain(step.value)
      case 'lookup': return isPlain(step.key)
      case 'encode': case 'total': return true
      default: return false
    }
  })
}
