// Nodes of a plan: the computation of a job as frozen data, a graph whose edges are `inputs`. A node refers to the user's functions by
// their numbers. Functions cannot be sent between processes, so each process builds the plan itself and compares fingerprints. Every switch
// over `kind` ends in `unreachable`.
//
// Rows that a node passes on are values (records of a Dataset), pairs (key and value), or groups (a key with all its values, in the order
// of keys). A shuffle takes pairs and gives groups; a join takes the groups of two shuffles, key by key.

import type { InputOptions, OutputOptions } from '../base/formats.ts'

/** Number of a function in the plan's table. */
export type FunctionIndex = number

export type PlanNode = Numbered & (SourceNode | StepNode | UnionNode | ShuffleNode | WriteNode)

/**
 * `number`: identity of what a node of a Dataset computes, given before the optimizer's rules and kept by them. Random numbers depend on
 * it. Two nodes that compute the same values have one number, unless they may draw random numbers, count, or have other effects.
 */
interface Numbered { readonly number?: number }

/** Nodes without inputs. */
type SourceNode = ReadNode | ValuesNode
/** Nodes that tasks run between their input and their output. */
export type StepNode = Placed & (
  | ValidateNode | MapNode | CombineNode | ReduceNode
  | EachNode | SampleNode | PartitionNode | KeyNode | SampleKeysNode | TopNode | LimitNode
  | FoldNode | GroupNode | SortedGroupNode | UngroupNode | RegroupNode | JoinNode | LookupNode | CommandNode | TotalNode | EncodeNode
  | ResourcesNode
)

/** `place`: number of the place in the program where the step is described, in the plan's table. */
interface Placed { readonly place?: number }

/** Records of input files: those of the run, or at `paths`. */
interface ReadNode {
  readonly kind: 'read'
  readonly inputs: readonly []
  readonly options: InputOptions
  readonly paths?: readonly string[]
}

/**
 * Values that the program computes: (part, parts) → values. `digest`: of the values, if the program gave them itself. `bytes`: size of all
 * values, if it is known; 0: there are none.
 */
interface ValuesNode {
  readonly kind: 'values'
  readonly inputs: readonly []
  readonly parts: number
  readonly fn: FunctionIndex
  readonly digest?: string
  readonly bytes?: number
}

type From1 = readonly [PlanNode]

/** (record): the record that its schema returns; a refused record is a bad record. */
interface ValidateNode { readonly kind: 'validate'; readonly inputs: From1; readonly fn: FunctionIndex }

/** Values to pairs. (record, emit, context): any number of pairs. */
interface MapNode { readonly kind: 'map'; readonly inputs: From1; readonly fn: FunctionIndex }

/** (key, values) → value. May run before, during and after a shuffle, any number of times. */
interface CombineNode { readonly kind: 'combine'; readonly inputs: From1; readonly fn: FunctionIndex }

/** Groups to pairs. (key, values, emit, context): any number of pairs. */
interface ReduceNode { readonly kind: 'reduce'; readonly inputs: From1; readonly fn: FunctionIndex }

/** Values to values, one at a time: (value, context) → value; whether it stays; an iterable; nothing; a promise of a value. */
export interface EachNode {
  readonly kind: 'each'
  readonly inputs: From1
  readonly op: 'map' | 'filter' | 'flatMap' | 'peek' | 'mapAsync'
  readonly fn: FunctionIndex
  /** mapAsync: calls that wait at a time. */
  readonly concurrency?: number
}

/** Each value with this probability. */
interface SampleNode { readonly kind: 'sample'; readonly inputs: From1; readonly fraction: number }

/** (values of the task, context) → values; both may be asynchronous. */
interface PartitionNode { readonly kind: 'partition'; readonly inputs: From1; readonly fn: FunctionIndex }

/** Values to pairs. `key`: (value, context) → key, default: integers in turn; `value`: default, the value itself. */
interface KeyNode {
  readonly kind: 'key'
  readonly inputs: From1
  readonly key?: FunctionIndex
  readonly value?: FunctionIndex
}

/** Values to pairs: one for each task, with the number of its values and a sample of their keys. */
interface SampleKeysNode { readonly kind: 'sampleKeys'; readonly inputs: From1; readonly key: FunctionIndex }

/** Values to pairs: the `count` values of the task with the smallest keys. */
interface TopNode { readonly kind: 'top'; readonly inputs: From1; readonly key: FunctionIndex; readonly count: number }

/** The first `count` values of the task. */
interface LimitNode { readonly kind: 'limit'; readonly inputs: From1; readonly count: number }

/** Values to one value: merged two at a time, in order; none if there are none. fn: (a, b) → value */
interface TotalNode { readonly kind: 'total'; readonly inputs: From1; readonly fn: FunctionIndex }

/** Values to texts that hold their encodings: what a step returns to its program. `whole`: what it keeps for later steps, of any size. */
interface EncodeNode { readonly kind: 'encode'; readonly inputs: From1; readonly whole?: true }

/** Groups to values: the key with its values, combined: [key, value]. fn: (key, values) → value */
interface FoldNode { readonly kind: 'fold'; readonly inputs: From1; readonly fn: FunctionIndex }

/** Groups to values. (key, values, context) → value, or with `flat` an iterable of values. */
interface GroupNode {
  readonly kind: 'group'
  readonly inputs: From1
  readonly fn: FunctionIndex
  readonly flat: boolean
}

/**
 * Groups whose keys are arrays, [key, …order], to values: as GroupNode, for groups with one first item together. Its shuffle has the
 * partition function `partitionByFirst`.
 */
interface SortedGroupNode {
  readonly kind: 'sortedGroup'
  readonly inputs: From1
  readonly fn: FunctionIndex
  readonly flat: boolean
}

/** Groups to values: each value of each group, in the order of keys. */
interface UngroupNode { readonly kind: 'ungroup'; readonly inputs: From1 }

/**
 * Groups to the groups that a second shuffle by the same key would give. `value`: (value, context) → value, as that of the pairs which the
 * second shuffle would have moved.
 */
interface RegroupNode { readonly kind: 'regroup'; readonly inputs: From1; readonly value?: FunctionIndex }

export type JoinKind = 'inner' | 'left' | 'right' | 'full' | 'semi' | 'anti' | 'group'

export type JoinStrategy = 'merge' | 'hash' | 'broadcast'
export type JoinSide = 'left' | 'right'

/** Groups of two shuffles to values. `group`: (key, left values, right values, context) → iterable of values. */
export interface JoinNode {
  readonly kind: 'join'
  readonly inputs: readonly [PlanNode, PlanNode]
  readonly how: JoinKind
  readonly fn?: FunctionIndex
  /** As the program says. Default: `merge`, or `broadcast` where the submitter finds one side small. */
  readonly strategy?: JoinStrategy
}

/**
 * Join by broadcast: values of one side to values, by a table of the other side, `build`, which every task reads whole: the shuffle of one
 * partition that is the second input. `key`: (value, context) → key of the values of the first input.
 */
export interface LookupNode {
  readonly kind: 'lookup'
  readonly inputs: readonly [PlanNode, PlanNode]
  readonly how: Exclude<JoinKind, 'full' | 'group'>
  readonly build: JoinSide
  readonly key: FunctionIndex
}

/**
 * Runs a Unix command over bytes. `map`: from the bytes of input files to pairs, if a shuffle follows, else to bytes. `reduce`: from
 * groups, as lines in the order of their keys, to bytes. Keys and values are texts of which each character is one byte.
 */
export interface CommandNode {
  readonly kind: 'command'
  readonly inputs: From1
  readonly role: 'map' | 'reduce'
  /** Program and arguments. Without them lines pass unchanged. */
  readonly argv?: CommandWords
  /** In place of `argv`: the reducer of Hadoop's aggregate package. */
  readonly aggregates?: true
  /** Command that combines the lines of a map task before the shuffle. */
  readonly combine?: CommandWords
  readonly fields: LineFields
  /** Assets in the working directory of the command. */
  readonly files: readonly CommandFile[]
}

export type CommandWords = readonly [string, ...string[]]
interface CommandFile { readonly name: string; readonly executable: boolean }

/** Key and value in a line. */
export interface LineFields {
  /** Between the fields of a line that a mapper writes. */
  readonly separator: string
  /** Fields of the key; a line with fewer ones is all key. */
  readonly keyFields: number
  /** Between key and value in a line that a reducer reads. */
  readonly joiner: string
  /** Fields of the key that decide the order of keys, before its bytes do. */
  readonly order?: readonly FieldOrder[]
}

/** Fields `first` to `last` of a key, from 1; default of `last`: the last one. */
export interface FieldOrder {
  readonly first: number
  readonly last?: number
  readonly numeric: boolean
  readonly reverse: boolean
}

/** The same values. The tasks of its stage need so many slots of their datanode, and so much memory; default: 1, and that of the job. */
interface ResourcesNode { readonly kind: 'resources'; readonly inputs: From1; readonly cpu?: number; readonly memoryBytes?: number }

/** The values of all its inputs. */
interface UnionNode { readonly kind: 'union'; readonly inputs: readonly PlanNode[] }

/** Groups pairs with equal keys, in the order of keys. */
export interface ShuffleNode {
  readonly kind: 'shuffle'
  /** The pairs; with `ranges`, also the shuffle of one partition with the samples of keys. */
  readonly inputs: readonly [PlanNode, ...PlanNode[]]
  /** Number that the program sets; the run may choose another one. `exact`: the plan needs this number. */
  readonly partitions: number | undefined
  readonly exact?: true
  /** Default: by the size of the job's input, instead of 1. */
  readonly auto?: true
  /** (key, partitions) → partition; a hash of the key if missing. */
  readonly partition: FunctionIndex | undefined
  /** The partitions are ranges of keys, in order. */
  readonly ranges?: true
}

export interface WriteNode {
  readonly kind: 'write'
  readonly inputs: From1
  /** Directory to publish; default: that of the run. */
  readonly path?: string
  /** The files are the result of a step, for its program, and are not published. */
  readonly result?: true
  readonly output: WriteOutput
  /** (output, context) → nothing, or a reason for which the output is not published. Called once, when all files are written. */
  readonly check?: FunctionIndex
}

interface WriteOutput extends OutputOptions {
  readonly replication?: number
  readonly blockBytes?: number
  /** The values are bytes, and are written as they are. */
  readonly raw?: true
}

/** A function of the program. Its arguments depend on the kind of its node. */
export type UserFunction = (...args: any[]) => unknown

/** A plan as the optimizer and the division into stages see it: everything but the functions themselves. */
export interface PlanShape {
  readonly root: WriteNode
  readonly functions: readonly unknown[]
  readonly hooks: object
  /** Places in the program, for messages. Missing in plans of map-reduce jobs. */
  readonly places?: readonly StepPlace[]
  /** One for each function. Missing in plans of map-reduce jobs. */
  readonly facts?: readonly FunctionFacts[]
}

export interface Plan extends PlanShape {
  readonly functions: readonly UserFunction[]
  /** Called once in each task of every stage. */
  readonly hooks: Hooks
}

export interface FunctionFacts {
  /** Number of the first function in the table that is the same object. */
  readonly same: FunctionIndex
  /** Number of its declared parameters. */
  readonly parameters: number
}

/** Method that describes a step, and the stack of its call. */
export interface StepPlace { readonly step: string; readonly stack: string }

interface Hooks {
  /** (context) */
  readonly setup?: UserFunction
  /** (emit, context) */
  readonly teardown?: UserFunction
}

/** `root` and all that it depends on, each once, inputs before their readers. `check`: called before the inputs of a node are read. */
export function inputsFirst<N extends { readonly inputs: readonly N[] }>(root: N, check: (node: N) => void = () => {}): N[] {
  const nodes = new Set<N>()
  // Not recursive: a loop of a program may make a plan of thousands of nodes.
  const open: Array<{ readonly node: N; next: number }> = []
  const enter = (node: N): void => {
    check(node)
    open.push({ node, next: 0 })
  }
  enter(root)
  for (let top = open.at(-1); top; top = open.at(-1)) {
    const input = top.node.inputs[top.next++]
    if (input === undefined) {
      nodes.add(top.node)
      open.pop()
    } else if (!nodes.has(input)) enter(input)
  }
  return [...nodes]
}

/** All nodes that `root` depends on, each once, inputs before their readers. */
export const nodesOf = (root: PlanNode): PlanNode[] => inputsFirst(root)

/** Position of each node that `root` depends on, the same in every process that builds the plan. */
export const positionsOf = (root: PlanNode): ReadonlyMap<PlanNode, number> =>
  new Map(nodesOf(root).map((node, position) => [node, position]))

/** Number of each node that `root` depends on; in plans of map-reduce jobs its position. */
export const numbersOf = (root: PlanNode): ReadonlyMap<PlanNode, number> =>
  new Map(nodesOf(root).map((node, position) => [node, node.number ?? position]))

/** The same node with other inputs. */
export function withInputs<N extends PlanNode>(node: N, inputs: readonly PlanNode[]): N {
  if (inputs.every((input, i) => input === node.inputs[i])) return node
  return Object.freeze({ ...node, inputs: Object.freeze(inputs) }) as unknown as N
}
