// Plan of a program, for its submitter and for executors: both load the program and build the plan here, so that equal programs and
// parameters give equal fingerprints.

import { loadProgram, type LoadOptions, type LoadWorld, type Program } from '../program/load.ts'
import { planBy, type PlanChoices } from './choices.ts'
import { planDataflow } from './dataflow.ts'
import { fingerprintOf } from './fingerprint.ts'
import { planMapReduce } from './mapreduce.ts'
import { numbersOf, type Plan, type PlanNode } from './node.ts'

export interface PlannedProgram extends Program {
  readonly plan: Plan
  /** Numbers of its nodes. */
  readonly numbers: ReadonlyMap<PlanNode, number>
  readonly fingerprint: string
}

/** Loads the program and builds its plan without calling its functions. Throws PROGRAM_INVALID, CORRUPT. */
export async function planOf(world: LoadWorld, program: LoadOptions, choices?: PlanChoices): Promise<PlannedProgram> {
  const { plan: lowered, ...loaded } = await lowerProgram(world, program)
  const plan = planBy(lowered, choices)
  return { ...loaded, plan, numbers: numbersOf(plan.root), fingerprint: fingerprintOf(plan) }
}

/** Loads the program and builds its plan before any rule. */
export async function lowerProgram(world: LoadWorld, program: LoadOptions): Promise<Program & { readonly plan: Plan }> {
  const loaded = await loadProgram(world, program)
  const { job } = loaded
  return { ...loaded, plan: job.kind === 'mapReduce' ? planMapReduce(job.definition) : planDataflow(job.recipe) }
}
