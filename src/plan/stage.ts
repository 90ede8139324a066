// Stages of a plan: the plan cut at its shuffles. A stage reads files or a shuffle, and ends in a shuffle or in files; each of its tasks
// runs all of its nodes. Stages are in the order in which they can run.

import { assert, unreachable } from '../base/assert.ts'
import type { InputOptions } from '../base/formats.ts'
import type { TaskOutput } from '../protocol/task.ts'
import { chainOf, type FunctionIndex, type Plan, type PlanNode, type ShuffleNode, type WriteNode } from './node.ts'

export interface Stage {
  readonly name: string
  readonly input:
    | { readonly kind: 'files'; readonly options: InputOptions }
    | { readonly kind: 'shuffle'; readonly stage: number; readonly partitions: number }
  readonly output: TaskOutput
  /** Nodes that a task runs between its input and its output, in order: validate, map, combine, reduce. */
  readonly steps: ReadonlyArray<Exclude<PlanNode, { kind: 'read' | 'shuffle' | 'write' }>>
  /** Last node of the stage. */
  readonly sink: ShuffleNode | WriteNode
}

/** As in Hadoop: one output file suits a small job, and a large job sets its number. */
const partitionsDefault = 1

/** `partitions`: number for every shuffle, instead of the program's. */
export function stagesOf({ root }: Plan, { partitions }: { partitions?: number | undefined } = {}): Stage[] {
  const stages: Stage[] = []
  let input: Stage['input'] | undefined
  let steps: Array<Stage['steps'][number]> = []
  const end = (sink: ShuffleNode | WriteNode, output: TaskOutput): void => {
    assert(input, 'a plan begins with reading')
    stages.push(Object.freeze({ name: nameOf(steps), input, output, steps: Object.freeze(steps), sink }))
    steps = []
  }
  for (const node of chainOf(root)) {
    switch (node.kind) {
      case 'read':
        input = { kind: 'files', options: node.options }
        break
      case 'validate': case 'map': case 'combine': case 'reduce':
        steps.push(node)
        break
      case 'shuffle': {
        const count = partitions ?? node.partitions ?? partitionsDefault
        end(node, { kind: 'shuffle', partitions: count })
        input = { kind: 'shuffle', stage: stages.length - 1, partitions: count }
        break
      }
      case 'write': {
        const { format, replication, blockBytes } = node.output
        end(node, { kind: 'files', format, ...replication !== undefined && { replication }, ...blockBytes !== undefined && { blockBytes } })
        break
      }
      default: unreachable(node)
    }
  }
  return stages
}

/** Steps that only prepare those that name the stage. */
const unnamed: ReadonlySet<Stage['steps'][number]['kind']> = new Set(['validate', 'combine'])

const nameOf = (steps: Stage['steps']): string => steps.filter(step => !unnamed.has(step.kind)).map(step => step.kind).join(' + ') || 'copy'

type StepKind = Stage['steps'][number]['kind']

/** Numbers of the functions that a task of the stage calls, by the kind of their step. A stage has at most one step of a kind. */
export function functionsOf({ steps }: Stage): Readonly<Partial<Record<StepKind, FunctionIndex>>> {
  const found: Partial<Record<StepKind, FunctionIndex>> = {}
  for (const step of steps) {
    // Tasks know these kinds (datanode/executor/task.ts): a new one would be left out.
    switch (step.kind) {
      case 'validate': case 'map': case 'combine': case 'reduce':
        assert(found[step.kind] === undefined, 'a stage has one step of a kind')
        found[step.kind] = step.fn
        break
      default: unreachable(step)
    }
  }
  return found
}
