// Stages of a plan: the plan cut at its shuffles. A stage has one or more branches, which read files, values, a shuffle, or two shuffles
// that are joined, and one output: a shuffle or files. A last stage may check the files. A task belongs to one branch and runs all of its
// steps. Stages are in an order in which they can run. A shuffle that several nodes read is computed once; steps before a cut are computed
// for each reader.

import { basename } from 'node:path'
import { assert, AssertionFailed, unreachable } from '../base/assert.ts'
import { GristmillError } from '../base/errors.ts'
import type { InputOptions } from '../base/formats.ts'
import { limits } from '../base/limits.ts'
import type { TaskOutput } from '../protocol/task.ts'
import type { FunctionIndex, LookupNode, PlanNode, PlanShape, ShuffleNode, StepNode, WriteNode } from './node.ts'

/** Partitions of a shuffle whose number the submitter derives from the size of the input. */
export const partitionsAuto = 0

/** Partitions of a map-reduce job, as in Hadoop: one output file suits a small job, and a large job sets its number. */
const partitionsDefault = 1

export type BranchInput =
  | { readonly kind: 'files'; readonly options: InputOptions; readonly paths?: readonly string[] }
  | { readonly kind: 'values'; readonly parts: number; readonly fn: FunctionIndex }
  | { readonly kind: 'shuffle'; readonly stage: number; readonly partitions: number }
  | { readonly kind: 'join'; readonly stages: readonly number[]; readonly partitions: number }
  | { readonly kind: 'output'; readonly stage: number }

export interface Branch {
  readonly input: BranchInput
  /** Node at which its steps begin. */
  readonly source: PlanNode
  /** In order: the steps of its tasks between input and output. */
  readonly steps: readonly StepNode[]
  /** Declared by the program for the steps of the branch. */
  readonly needs?: Needs
}

/** Slots and memory of a task. */
interface Needs { readonly cpu?: number; readonly memoryBytes?: number }

export interface Stage {
  readonly name: string
  readonly branches: readonly Branch[]
  /** Stages of one partition, whose output every task reads: samples of keys first, then those of `lookups`. */
  readonly broadcasts: readonly number[]
  /** Stages that the steps of its branches look values up in. */
  readonly lookups: ReadonlyMap<LookupNode, number>
  readonly output: TaskOutput
  /** Its tasks only sample the keys of a sort, whose own stage reads the same input again. */
  readonly isSampling: boolean
  /** Combines pairs before the shuffle. */
  readonly combine: FunctionIndex | undefined
  /** The most that a branch needs. */
  readonly needs: Needs
  /** Last node of the stage; of a check the one that writes the output. */
  readonly sink: ShuffleNode | WriteNode
}

interface StagesOptions {
  /** Number for every shuffle whose number the plan leaves open, or sets without needing it. */
  readonly partitions?: number | undefined
}

/** Throws PROGRAM_INVALID for a plan of too many stages. */
export function stagesOf({ root }: PlanShape, options: StagesOptions = {}): Stage[] {
  const cutter = new Cutter(options)
  cutter.check(root, cutter.end(root))
  return cutter.stages
}

class Cutter {
  readonly stages: Stage[] = []
  readonly #options: StagesOptions
  readonly #shuffles = new Map<ShuffleNode, number>()

  constructor(options: StagesOptions) { this.#options = options }

  /** Adds the stage that ends in this node, after those that it reads. Returns its number. */
  end(sink: ShuffleNode | WriteNode): number {
    const [last] = sink.inputs
    const combine = sink.kind === 'shuffle' && last.kind === 'combine' ? last : undefined
    const branches = this.#branches(combine ? combine.inputs[0] : last)
    const samples = sink.inputs.slice(1).map(node => this.#shuffle(node))
    const lookups = new Map<LookupNode, number>()
    for (const { steps } of branches)
      for (const step of steps) if (step.kind === 'lookup') lookups.set(step, this.#shuffle(step.inputs[1]))
    return this.#add({
      name: nameOf(branches), branches, broadcasts: [...new Set([...samples, ...lookups.values()])], lookups, output: this.#output(sink),
      isSampling: last.kind === 'sampleKeys', combine: combine?.fn, needs: mostOf(branches.map(({ needs }) => needs)), sink,
    })
  }

  /** Adds the stage that checks what `stage` has written, if the program checks its output. */
  check(sink: WriteNode, stage: number): void {
    if (sink.check === undefined) return
    this.#add({
      name: 'check', branches: [{ input: { kind: 'output', stage }, source: sink, steps: [] }], broadcasts: [], lookups: new Map(),
      output: { kind: 'check' }, isSampling: false, combine: undefined, needs: {}, sink,
    })
  }

  #add(stage: Stage): number {
    if (this.stages.length >= limits.jobStagesMax)
      throw new GristmillError(
        'PROGRAM_INVALID',
        `the program has more than ${limits.jobStagesMax} stages, the most that one job can have; save an intermediate result, and go on in another program`,
      )
    return this.stages.push(Object.freeze(stage)) - 1
  }

  #output(sink: ShuffleNode | WriteNode): TaskOutput {
    if (sink.kind === 'shuffle') return { kind: 'shuffle', partitions: this.#partitions(sink) }
    const { format, replication, blockBytes } = sink.output
    return { kind: 'files', format, ...replication !== undefined && { replication }, ...blockBytes !== undefined && { blockBytes } }
  }

  #partitions({ exact, auto, partitions }: ShuffleNode): number {
    return (exact ? partitions : this.#options.partitions ?? partitions) ?? (auto ? partitionsAuto : partitionsDefault)
  }

  #shuffle(node: PlanNode): number {
    assert(node.kind === 'shuffle', 'a broadcast and the sides of a join are shuffles')
    let stage = this.#shuffles.get(node)
    if (stage === undefined) this.#shuffles.set(node, stage = this.end(node))
    return stage
  }

  #branches(node: PlanNode): readonly Branch[] {
    switch (node.kind) {
      case 'read': {
        const { options, paths } = node
        return [{ input: { kind: 'files', options, ...paths && { paths } }, source: node, steps: [] }]
      }
      case 'values': return [{ input: { kind: 'values', parts: node.parts, fn: node.fn }, source: node, steps: [] }]
      case 'union': {
        const branches: Branch[] = []
        for (const input of node.inputs) {
          for (const branch of this.#branches(input)) branches.push(branch)
          if (branches.length > limits.jobStagesMax)
            throw new GristmillError(
              'PROGRAM_INVALID',
              `the program unites more than ${limits.jobStagesMax} Datasets; give several paths, or a pattern, to one source: mill.text(['/a', '/b/*'])`,
            )
        }
        return branches
      }
      case 'shuffle':
        return [{ input: { kind: 'shuffle', stage: this.#shuffle(node), partitions: this.#partitions(node) }, source: node, steps: [] }]
      // The steps that follow are those behind the shuffle that it stands for.
      case 'regroup':
        return this.#branches(node.inputs[0]).map(branch => ({ ...branch, source: node, steps: [...branch.steps, node] }))
      case 'join': {
        const [left] = node.inputs
        const stages = node.inputs.map(side => this.#shuffle(side))
        return [{ input: { kind: 'join', stages, partitions: this.#partitions(left as ShuffleNode) }, source: node, steps: [node] }]
      }
      case 'validate': case 'map': case 'combine': case 'reduce': case 'each': case 'sample': case 'partition': case 'key':
      case 'sampleKeys': case 'top': case 'limit': case 'fold': case 'group': case 'sortedGroup': case 'ungroup': case 'lookup':
      case 'command': case 'total': case 'encode':
        return this.#branches(node.inputs[0]).map(branch => ({ ...branch, steps: [...branch.steps, node] }))
      // No step of its own: the tasks have what it asks for before they begin.
      case 'resources':
        return this.#branches(node.inputs[0]).map(branch => ({ ...branch, needs: mostOf([branch.needs, node]) }))
      case 'write': throw new AssertionFailed('a plan writes once, at its end')
      default: return unreachable(node)
    }
  }
}

function mostOf(needs: ReadonlyArray<Needs | undefined>): Needs {
  const most = (all: readonly number[]): number | undefined => (all.length === 0 ? undefined : Math.max(...all))
  const cpu = most(needs.flatMap(each => each?.cpu ?? []))
  const memoryBytes = most(needs.flatMap(each => each?.memoryBytes ?? []))
  return { ...cpu !== undefined && { cpu }, ...memoryBytes !== undefined && { memoryBytes } }
}

const nameCharsMax = 100

/** Names of the steps, for the status of a job. */
function nameOf(branches: readonly Branch[]): string {
  const names = new Set(branches.map(({ steps }) => steps.map(wordOf).filter(word => word !== '').join(' + ') || 'copy'))
  const name = [...names].join(' | ')
  return name.length <= nameCharsMax ? name : `${name.slice(0, nameCharsMax - 1)}…`
}

/** Steps that only prepare others have no word. */
function wordOf(step: StepNode): string {
  switch (step.kind) {
    case 'validate': case 'combine': case 'key': case 'regroup': case 'encode': case 'resources': return ''
    case 'map': case 'reduce': case 'sample': case 'top': case 'limit': case 'total': return step.kind
    case 'each': return step.op
    case 'partition': return 'mapPartitions'
    case 'sampleKeys': return 'sample keys'
    case 'fold': return 'aggregate'
    case 'group': case 'sortedGroup': return step.flat ? 'flatMap groups' : 'map groups'
    case 'ungroup': return 'values'
    case 'command': return `${step.role} ${basename(step.argv?.[0] ?? (step.aggregates ? 'aggregate' : 'lines'))}`
    case 'join': case 'lookup': return step.how === 'group' ? 'coGroup' : step.how === 'inner' ? 'join' : `${step.how} join`
    default: return unreachable(step)
  }
}
