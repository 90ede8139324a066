// Choices of a job's submitter beside the program: rules of the optimizer, and joins by broadcast. They are part of the job, so that every
// executor makes the same plan from the program.

import { GristmillError } from '../base/errors.ts'
import { lookupOf, sideOf } from './broadcast.ts'
import { nodesOf, withInputs, type JoinSide, type PlanNode, type PlanShape, type WriteNode } from './node.ts'
import { optimize, type RuleNote } from './optimize.ts'
import type { Rule } from './rule.ts'
import { rules, rulesUnnamed } from './rules.ts'

export interface PlanChoices {
  /** Names of the rules that are applied. Default: `rulesUnnamed`. */
  readonly rules?: readonly string[] | undefined
  /** Joins that the submitter does by broadcast: number of the node, and the side that all tasks read. */
  readonly broadcasts?: ReadonlyArray<{ readonly join: number; readonly side: JoinSide }> | undefined
}

/** The plan that tasks run. Throws PROGRAM_INVALID for choices that this version does not know, or that do not fit the plan. */
export function planBy<P extends PlanShape>(
  plan: P, { rules: named, broadcasts = [] }: PlanChoices = {}, note?: (note: RuleNote) => void,
): P {
  return optimize(withBroadcasts(plan, broadcasts), named ? rulesNamed(named) : rulesUnnamed, note)
}

function rulesNamed(names: readonly string[]): Rule[] {
  const unknown = names.find(name => !rules.some(rule => rule.name === name))
  if (unknown !== undefined)
    throw new GristmillError(
      'PROGRAM_INVALID',
      `the job uses the optimizer rule ${JSON.stringify(unknown)}, which this version of gristmill does not have; upgrade the cluster`,
    )
  return rules.filter(({ name }) => names.includes(name))
}

/** Joins that the program or the submitter wants by broadcast become lookups. */
function withBroadcasts<P extends PlanShape>(plan: P, broadcasts: NonNullable<PlanChoices['broadcasts']>): P {
  const sides = new Map(broadcasts.map(({ join, side }) => [join, side]))
  const made = new Map<PlanNode, PlanNode>()
  const joins = new Set<number>()
  for (const node of nodesOf(plan.root)) {
    const same: PlanNode = withInputs(node, node.inputs.map(input => made.get(input)!))
    const chosen = same.kind === 'join' && same.number !== undefined ? sides.get(same.number) : undefined
    if (chosen !== undefined) joins.add(same.number!)
    const side = chosen ?? (same.kind === 'join' && same.strategy === 'broadcast' ? sideOf(same.how) : undefined)
    made.set(node, side === undefined || same.kind !== 'join' ? same : lookupOf(same, side))
  }
  const missing = broadcasts.find(({ join }) => !joins.has(join))
  if (missing)
    throw new GristmillError('PROGRAM_INVALID', `the job does a join by broadcast that its program does not have (${missing.join})`)
  const root = made.get(plan.root) as WriteNode
  return root === plan.root ? plan : Object.freeze({ ...plan, root })
}
