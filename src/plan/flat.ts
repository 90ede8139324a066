// A plan without its functions, as plain data that fits into a message: a submitter gets it from the process that has loaded the program,
// and applies rules and divides it into stages by itself.

import type { FunctionFacts, PlanNode, PlanShape, StepPlace, WriteNode } from './node.ts'
import { nodesOf, positionsOf } from './node.ts'

export interface FlatPlan {
  /** Inputs are positions in this list, and come before their readers; the last node is the root. */
  readonly nodes: ReadonlyArray<Omit<PlanNode, 'inputs'> & { readonly inputs: readonly number[] }>
  readonly functions: number
  /** Names. */
  readonly hooks: readonly string[]
  /** Methods that describe steps. */
  readonly steps: readonly string[]
  readonly facts?: readonly FunctionFacts[]
}

export function flatten({ root, functions, hooks, places, facts }: PlanShape): FlatPlan {
  const positions = positionsOf(root)
  return {
    nodes: nodesOf(root).map(node => ({ ...node, inputs: node.inputs.map(input => positions.get(input)!) })),
    functions: functions.length, hooks: Object.keys(hooks), steps: (places ?? []).map(({ step }) => step), ...facts && { facts },
  }
}

export function unflatten({ nodes, functions, hooks, steps, facts }: FlatPlan): PlanShape {
  const made: PlanNode[] = []
  for (const { inputs, ...own } of nodes)
    made.push(Object.freeze({ ...own, inputs: Object.freeze(inputs.map(input => made[input]!)) }) as unknown as PlanNode)
  return Object.freeze({
    root: made.at(-1) as WriteNode, functions: Array.from<undefined>({ length: functions }),
    hooks: Object.fromEntries(hooks.map(name => [name, true])), places: steps.map((step): StepPlace => ({ step, stack: '' })),
    ...facts && { facts },
  })
}
