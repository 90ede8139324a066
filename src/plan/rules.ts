// Rules of the optimizer: each makes a plan cheaper without changing its result, and can be switched off by its name. Rules are applied
// from the sources upwards, repeatedly until none changes the plan (optimize.ts).
//
// Functions of a program are opaque. What rules may assume about one is: it gives the same result each time for the same value (Datasets
// require it), and it does not use its context if it declares no parameter for it. A step whose function takes the context is not moved,
// merged or dropped: it may count, and draw random numbers.
//
// No rule is needed for two things. Narrow steps of a stage always run one after the other in one task, without a copy in between. Steps
// behind a union are run in each of its branches, and so at the source.

import { adaptiveRules } from './adaptive.ts'
import { dropDeadBranches } from './dead.ts'
import { filterBeforeShuffle } from './filters.ts'
import { adoptPartitions, dropRepartition, reusePartitions } from './reuse.ts'
import type { Rule } from './rule.ts'
import { combineBeforeShuffle, dropShuffle } from './shuffles.ts'
import { shareBranches } from './share.ts'

/** In the order in which they are applied to a node. */
export const rules: readonly Rule[] = [
  shareBranches, dropDeadBranches, dropRepartition, filterBeforeShuffle, reusePartitions, adoptPartitions, combineBeforeShuffle,
  dropShuffle,
]

/** Name of the submitter's choice of joins (joinchoice.ts), which is switched off like a rule. */
export const broadcastJoins = 'broadcast-joins'

/** Names that a run may switch off: of rules before the job, and of those that the namenode applies while it runs. */
export const ruleNames: readonly string[] = [broadcastJoins, ...rules.map(({ name }) => name), ...adaptiveRules.map(({ name }) => name)]

/** Those of jobs that do not name their rules: their submitter knew no others. */
export const rulesUnnamed: readonly Rule[] = [combineBeforeShuffle, dropShuffle]
