// Explains how a program would run, without running it: its plan, the rules of the optimizer that change it, how joins are done, and the
// stages with their tasks and exchanges. Sizes are those of the inputs as they are now.

import { rulesOf, type AdaptiveRule } from '../../src/plan/adaptive.ts'
import { nodesOf, positionsOf, type PlanNode, type ShuffleNode } from '../../src/plan/node.ts'
import { describeNode, exchangeOf } from '../../src/plan/describe.ts'
import { rules } from '../../src/plan/rules.ts'
import type { Stage } from '../../src/plan/stage.ts'
import type { Split } from '../../src/protocol/task.ts'
import { cutStages, type CutStage } from './cut.ts'
import { partitionBytesDefault, type Layout, type PlannedInput } from './layout.ts'

export interface Explanation {
  /** Nodes of the plan before the rules, inputs before their readers. `inputs`: positions in this list. */
  readonly plan: ReadonlyArray<{ readonly text: string; readonly inputs: readonly number[] }>
  /** Rules that have changed the plan, and where. */
  readonly rules: ReadonlyArray<{ readonly rule: string; readonly about: string; readonly nodes: readonly string[] }>
  readonly joins: ReadonlyArray<{ readonly join: string; readonly by: string; readonly why: string }>
  readonly stages: readonly ExplainedStage[]
  /** This is the first step of a program that has others. */
  readonly goesOn: boolean
}

export interface ExplainedStage {
  readonly name: string
  /** One for each branch. */
  readonly reads: readonly string[]
  readonly tasks: number
  readonly steps: readonly string[]
  /** The exchange with the next stage, or the output. */
  readonly output: string
  /** The reason for the number of partitions, if the stage ends in a shuffle. */
  readonly why?: string
  /** Adaptive rules that the namenode may apply when the bytes of the partitions are known that the stage reads. */
  readonly mayAdapt?: readonly AdaptiveRule[]
  /** Slots and memory of each task, if the program or the run sets them. */
  readonly cpu?: number
  readonly memoryBytes?: number
}

interface ExplainOptions {
  /** Number of partitions that the run sets. */
  readonly partitions: number | undefined
  /** Size of a partition where their number is open. */
  readonly partitionBytes?: number | undefined
  readonly goesOn?: boolean
  readonly splitsOf: (input: FilesInput) => Promise<Split[]>
  readonly formatBytes: (bytes: number) => string
}

type FilesInput = Extract<PlannedInput, { kind: 'files' }>

interface Measured { readonly splits: number; readonly bytes: number }

export async function explain({ before, after, cut, notes, joins, stages }: Layout, options: ExplainOptions): Promise<Explanation> {
  const positions = positionsOf(before.root)
  const measured = new Map<string, Measured>()
  const { cut: planned } = await cutStages(stages, async input => {
    const splits = await options.splitsOf(input)
    measured.set(nameOf(input), { splits: splits.length, bytes: splits.reduce((sum, { bytes }) => sum + bytes, 0) })
    return splits
  }, { partitionBytes: options.partitionBytes })
  const bytes = [...measured.values()].reduce((sum, each) => sum + each.bytes, 0)
  const describe = (node: PlanNode): string => describeNode(node, before.places)
  const byNumber = new Map(nodesOf(before.root).map(node => [node.number, node]))
  const changed = new Map<string, Set<string>>()
  for (const { rule, before: node } of notes) changed.set(rule, (changed.get(rule) ?? new Set()).add(describe(node)))
  return {
    plan: [...positions.keys()].map(node => ({ text: describe(node), inputs: node.inputs.map(input => positions.get(input)!) })),
    rules: rules.flatMap(({ name, about }) => (changed.has(name) ? [{ rule: name, about, nodes: [...changed.get(name)!] }] : [])),
    joins: joins.map(({ join, strategy, side, why }) =>
      ({ join: describe(byNumber.get(join)!), by: side ? `${strategy} of its ${side} side` : strategy, why })),
    stages: cut.map((stage, i) => explainStage(stage, planned[i]!, {
      ...options, bytes, measured, inputs: stages[i]!.inputs, describe: node => describeNode(node, after.places),
    })),
    goesOn: options.goesOn ?? false,
  }
}

interface StageFacts extends ExplainOptions {
  readonly bytes: number
  readonly measured: ReadonlyMap<string, Measured>
  readonly inputs: readonly PlannedInput[]
  readonly describe: (node: PlanNode) => string
}

function explainStage(stage: Stage, { inputs, output, adapt, cpu, memoryBytes }: CutStage, facts: StageFacts): ExplainedStage {
  const branches = facts.inputs.map((input, i) => readOf(input, inputs[i]!, facts))
  // A sort into one partition takes no samples: its stage has lost its inputs.
  const isLeftOut = inputs.length === 1 && inputs[0]!.kind === 'values' && inputs[0]!.parts === 0
  const steps = stage.branches.map(({ steps: all }) => all.map(step => {
    const table = step.kind === 'lookup' ? stage.lookups.get(step) : undefined
    return facts.describe(step) + (table === undefined ? '' : `, of stage ${table}`)
  }).join(', '))
  const [sampled] = stage.sink.kind === 'shuffle' && stage.sink.ranges ? stage.broadcasts : []
  return {
    name: stage.name,
    reads: isLeftOut ? ['nothing'] : branches.map(({ text }) => text),
    tasks: isLeftOut ? 0 : branches.reduce((sum, { tasks }) => sum + tasks, 0),
    steps: [...new Set(steps)].filter(text => text !== ''),
    ...adapt && { mayAdapt: rulesOf(adapt) },
    ...cpu !== undefined && { cpu }, ...memoryBytes !== undefined && { memoryBytes },
    ...stage.sink.kind === 'shuffle' && output.kind === 'shuffle'
      ? {
          output: `${exchangeOf(stage.sink)} into ${plural(output.partitions, 'partition')}`
            + (sampled === undefined ? '' : `, bounds from stage ${sampled}`) + (stage.combine === undefined ? '' : ', combined before'),
          why: whyOf(stage.sink, facts),
        }
      : { output: stage.output.kind === 'check' ? 'nothing: it refuses the output, or lets it be published' : facts.describe(stage.sink) },
  }
}

function readOf(
  input: PlannedInput, cut: { readonly kind: string; readonly partitions?: number }, { measured, formatBytes }: StageFacts,
): { readonly text: string; readonly tasks: number } {
  switch (input.kind) {
    case 'files': {
      const { splits, bytes: own } = measured.get(nameOf(input)) ?? { splits: 0, bytes: 0 }
      return { text: `${input.paths?.join(' ') ?? 'the input'}, ${formatBytes(own)}`, tasks: splits }
    }
    case 'values': return { text: 'values of the program', tasks: input.parts }
    case 'shuffle': return { text: `stage ${input.stage}`, tasks: cut.partitions ?? input.partitions }
    case 'join': return { text: `stages ${input.stages.join(' and ')}`, tasks: cut.partitions ?? input.partitions }
    case 'output': return { text: `the output of stage ${input.stage}`, tasks: 1 }
  }
}

function whyOf(
  { exact, auto, partitions }: ShuffleNode,
  { partitions: given, partitionBytes = partitionBytesDefault, bytes, formatBytes }: StageFacts,
): string {
  if (exact && partitions === 1) return 'the step needs one partition'
  if (exact) return 'the program sets the number'
  if (given !== undefined) return 'the run sets the number'
  if (partitions !== undefined) return 'the program sets the number'
  if (!auto) return 'the default of map-reduce jobs'
  return `one for each ${formatBytes(partitionBytes).replace('.0 ', ' ')} of ${formatBytes(bytes)} input`
}

const nameOf = ({ paths, options }: FilesInput): string => JSON.stringify([paths, options])
const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`
