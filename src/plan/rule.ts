// Contract of a rule of the optimizer (rules.ts).

import type { FunctionFacts, FunctionIndex, PlanNode } from './node.ts'

export interface Rule {
  readonly name: string
  /** What it does, in one line, for explain. */
  readonly about: string
  /** Applied to the whole plan before the others as well. */
  readonly early?: true
  /** A better node in place of this one, or the node itself. */
  apply(node: PlanNode, facts: PlanFacts): PlanNode
}

/** Knowledge of a rule beside the node and its inputs. */
export interface PlanFacts {
  /** True if the function takes a value only, and not its context: at most `count` parameters. Default: 1. */
  isPlain(fn: FunctionIndex | undefined, count?: number): boolean
  /** True if both are one function. */
  isSame(a: FunctionIndex | undefined, b: FunctionIndex | undefined): boolean
  /** Number of the node's readers. Infinity for a node that a rule has just made. */
  readers(node: PlanNode): number
  /** An earlier node of the plan that computes the same values from the same inputs, or the node itself. */
  first(node: PlanNode): PlanNode
}

/** Functions without facts may do anything, and are one only if they have one number. */
export function aboutFunctions(facts: readonly FunctionFacts[] | undefined): Pick<PlanFacts, 'isPlain' | 'isSame'> {
  return {
    isPlain: (fn, count = 1) => fn === undefined || (facts !== undefined && facts[fn]!.parameters <= count),
    isSame: (a, b) => a === b || (a !== undefined && b !== undefined && facts !== undefined && facts[a]!.same === facts[b]!.same),
  }
}
