// Plan of a program, for its submitter and for executors: both load the program and build the plan here, so that equal programs and
// parameters give equal fingerprints.

import { loadProgram, type LoadOptions, type LoadWorld, type Program } from '../program/load.ts'
import { planDataflow } from './dataflow.ts'
import { fingerprintOf } from './fingerprint.ts'
import { planMapReduce } from './mapreduce.ts'
import { numbersOf, type Plan, type PlanNode } from './node.ts'
import { optimize } from './rules.ts'

export interface PlannedProgram extends Program {
  readonly plan: Plan
  /** Numbers of its nodes. */
  readonly numbers: ReadonlyMap<PlanNode, number>
  readonly fingerprint: string
}

/** Loads the program and builds its plan without calling its functions. Throws PROGRAM_INVALID, CORRUPT. */
export async function planOf(world: LoadWorld, program: LoadOptions): Promise<PlannedProgram> {
  const loaded = await loadProgram(world, program)
  const { job } = loaded
  const plan = optimize(job.kind === 'mapReduce' ? planMapReduce(job.definition) : planDataflow(job.recipe))
  return { ...loaded, plan, numbers: numbersOf(plan.root), fingerprint: fingerprintOf(plan) }
}
