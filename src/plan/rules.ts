// Rules of the optimizer: each makes a plan cheaper without changing its result, and can be switched off by its name. Rules are applied
// from the sources upwards, repeatedly until none changes the plan (optimize.ts).
//
// Functions of a program are opaque. What rules may assume about one is: it gives the same result each time for the same value (Datasets
// require it), and it does not use its context if it declares no parameter for it. A step whose function takes the context is not moved,
// merged or dropped: it may count, and draw random numbers.
//
// No rule is needed for two things. Narrow steps of a stage always run one after the other in one task, without a copy in between. Steps
// behind a union are run in each of its branches, and so at the source.

import type { FunctionFacts, FunctionIndex, PlanNode } from './node.ts'
import { dropDeadBranches } from './dead.ts'
import { filterBeforeShuffle } from './filters.ts'
import { adoptPartitions, dropRepartition, reusePartitions } from './reuse.ts'
import { combineBeforeShuffle, dropShuffle } from './shuffles.ts'
import { shareBranches } from './share.ts'

export interface Rule {
  readonly name: string
  /** What it does, in one line, for explain. */
  readonly about: string
  /** Applied to the whole plan before the others as well. */
  readonly early?: true
  /** A better node in place of this one, or the node itself. */
  apply(node: PlanNode, facts: PlanFacts): PlanNode
}

/** What a rule may know beside the node and its inputs. */
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

/** In the order in which they are applied to a node. */
export const rules: readonly Rule[] = [
  shareBranches, dropDeadBranches, dropRepartition, filterBeforeShuffle, reusePartitions, adoptPartitions, combineBeforeShuffle,
  dropShuffle,
]

/** Name of the submitter's choice of joins (joinchoice.ts), which is switched off like a rule. */
export const broadcastJoins = 'broadcast-joins'

/** What a run may switch off. */
export const ruleNames: readonly string[] = [broadcastJoins, ...rules.map(({ name }) => name)]

/** Those of jobs that do not name their rules: their submitter knew no others. */
export const rulesUnnamed: readonly Rule[] = [combineBeforeShuffle, dropShuffle]

/** Functions without facts may do anything, and are one only if they have one number. */
export function aboutFunctions(facts: readonly FunctionFacts[] | undefined): Pick<PlanFacts, 'isPlain' | 'isSame'> {
  return {
    isPlain: (fn, count = 1) => fn === undefined || (facts !== undefined && facts[fn]!.parameters <= count),
    isSame: (a, b) => a === b || (a !== undefined && b !== undefined && facts !== undefined && facts[a]!.same === facts[b]!.same),
  }
}
