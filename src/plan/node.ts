// Nodes of a plan: the computation of a job as frozen data. A node refers to its source and, by number, to the user's function that it
// calls. Functions cannot be sent between processes, so each process builds the plan itself and compares fingerprints. More kinds of
// nodes may come (joins, projections): every switch over `kind` ends in `unreachable`.

import type { InputOptions, OutputOptions } from '../base/formats.ts'

/** Number of a function in the plan's table. */
export type FunctionIndex = number

export type PlanNode = ReadNode | ValidateNode | MapNode | CombineNode | ShuffleNode | ReduceNode | WriteNode

/** Records of the job's input files. */
export interface ReadNode { readonly kind: 'read'; readonly options: InputOptions }

/** (record): the record that its schema returns; a refused record is a bad record. */
interface ValidateNode { readonly kind: 'validate'; readonly source: PlanNode; readonly fn: FunctionIndex }

/** (record, emit, context): any number of key-value pairs. */
interface MapNode { readonly kind: 'map'; readonly source: PlanNode; readonly fn: FunctionIndex }

/** (key, values) → value. May run before, during and after a shuffle, any number of times. */
interface CombineNode { readonly kind: 'combine'; readonly source: PlanNode; readonly fn: FunctionIndex }

/** Groups pairs with equal keys, in the order of keys. */
export interface ShuffleNode {
  readonly kind: 'shuffle'
  readonly source: PlanNode
  /** Number that the program sets; the run may choose another one. */
  readonly partitions: number | undefined
  /** (key, partitions) → partition; a hash of the key if missing. */
  readonly partition: FunctionIndex | undefined
}

/** (key, values, emit, context): any number of key-value pairs. Its source is grouped. */
interface ReduceNode { readonly kind: 'reduce'; readonly source: PlanNode; readonly fn: FunctionIndex }

export interface WriteNode { readonly kind: 'write'; readonly source: PlanNode; readonly output: WriteOutput }

interface WriteOutput extends OutputOptions {
  readonly replication?: number
  readonly blockBytes?: number
}

/** A function of the program. Its arguments depend on the kind of its node. */
export type UserFunction = (...args: any[]) => unknown

export interface Plan {
  readonly root: WriteNode
  readonly functions: readonly UserFunction[]
  /** Called once in each task of every stage. */
  readonly hooks: Hooks
}

interface Hooks {
  /** (context) */
  readonly setup?: UserFunction
  /** (emit, context) */
  readonly teardown?: UserFunction
}

/** The node that this one reads; undefined for a read node. */
export const sourceOf = (node: PlanNode): PlanNode | undefined => (node.kind === 'read' ? undefined : node.source)

/** All nodes, from the read node to `root`. */
export function chainOf(root: PlanNode): PlanNode[] {
  const chain: PlanNode[] = []
  for (let node: PlanNode | undefined = root; node; node = sourceOf(node)) chain.push(node)
  return chain.reverse()
}

/** The same node with another source. */
export function withSource<N extends Exclude<PlanNode, ReadNode>>(node: N, source: PlanNode): N {
  return node.source === source ? node : Object.freeze({ ...node, source }) as unknown as N
}
