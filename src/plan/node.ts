// A plan: what is to be computed, as frozen data. A node names its source and, by number, the user's function that it calls;
// the functions themselves never leave the process that built the plan, so that every process builds it for itself and they
// compare fingerprints. More kinds will come (joins, projections): whoever walks a plan ends its switch in `unreachable`.

import type { InputOptions, OutputFormat } from '../protocol/task.ts'

/** Number of a function in the plan's table. */
export type FunctionIndex = number

export type PlanNode = ReadNode | MapNode | CombineNode | ShuffleNode | ReduceNode | WriteNode

/** Records of the job's input files. */
export interface ReadNode { readonly kind: 'read'; readonly options: InputOptions }

/** (record, emit, context): any number of key-value pairs. */
export interface MapNode { readonly kind: 'map'; readonly source: PlanNode; readonly fn: FunctionIndex }

/** (key, values) → value. May be done before, after and during a shuffle, any number of times. */
export interface CombineNode { readonly kind: 'combine'; readonly source: PlanNode; readonly fn: FunctionIndex }

/** Brings pairs of equal keys together, keys in order. */
export interface ShuffleNode {
  readonly kind: 'shuffle'
  readonly source: PlanNode
  /** What the program asks for; the run may choose another number. */
  readonly partitions: number | undefined
  /** (key, partitions) → partition; a hash of the key if missing. */
  readonly partition: FunctionIndex | undefined
}

/** (key, values, emit, context): any number of key-value pairs. Its source is grouped. */
export interface ReduceNode { readonly kind: 'reduce'; readonly source: PlanNode; readonly fn: FunctionIndex }

export interface WriteNode { readonly kind: 'write'; readonly source: PlanNode; readonly output: WriteOptions }

export interface WriteOptions {
  readonly format: OutputFormat
  readonly delimiter?: string
  readonly header?: boolean
  readonly columns?: readonly string[]
  readonly replication?: number
  readonly blockBytes?: number
}

/** Its arguments are those that the node's kind says. */
export type UserFunction = (...args: any[]) => unknown

export interface Plan {
  readonly root: WriteNode
  readonly functions: readonly UserFunction[]
  /** Called once in each task, whatever its stage. */
  readonly hooks: Hooks
}

export interface Hooks {
  /** (context) */
  readonly setup?: UserFunction
  /** (emit, context) */
  readonly teardown?: UserFunction
}

/** The node that this one reads; undefined for those that read files. */
export const sourceOf = (node: PlanNode): PlanNode | undefined => (node.kind === 'read' ? undefined : node.source)

/** From the reading to the writing. */
export function chainOf(root: PlanNode): PlanNode[] {
  const chain: PlanNode[] = []
  for (let node: PlanNode | undefined = root; node; node = sourceOf(node)) chain.push(node)
  return chain.reverse()
}

/** The same node over another source. */
export function withSource<N extends Exclude<PlanNode, ReadNode>>(node: N, source: PlanNode): N {
  return node.source === source ? node : Object.freeze({ ...node, source }) as unknown as N
}
