// Plan of a program, for its submitter and for executors: both load the program and build the plans of its steps here, so that equal
// programs, parameters and results of earlier steps give equal fingerprints.

import { GristmillError } from '../base/errors.ts'
import { loadProgram, type LoadOptions, type LoadWorld, type Program } from '../program/load.ts'
import { planBy, type PlanChoices } from './choices.ts'
import { planDataflow } from './dataflow.ts'
import { fingerprintOf } from './fingerprint.ts'
import { planMapReduce } from './mapreduce.ts'
import { numbersOf, type Plan, type PlanNode } from './node.ts'
import { ProgramRun, type ProgramStep } from './programrun.ts'

export interface JobPlan {
  readonly plan: Plan
  /** Numbers of its nodes. */
  readonly numbers: ReadonlyMap<PlanNode, number>
  readonly fingerprint: string
}

export type PlannedProgram = Program & JobPlan & {
  /** Notes the values that tasks of a replayed program share; the function that it returns names one that was changed since. */
  readonly watch?: (() => () => string | undefined) | undefined
}

/** Plan of a step before any rule. Throws PROGRAM_INVALID for recipes that this version does not know. */
export const lowerStep = ({ root }: Pick<ProgramStep, 'root'>): Plan => planDataflow(root)

/** Plan of a map-reduce job before any rule. */
export function lowerJob({ job }: Program): Plan {
  if (job.kind === 'dataflow') throw new GristmillError('PROGRAM_INVALID', 'a program over Datasets has a plan for each of its steps')
  return planMapReduce(job.definition)
}

export function planJob(lowered: Plan, choices?: PlanChoices): JobPlan {
  const plan = planBy(lowered, choices)
  return { plan, numbers: numbersOf(plan.root), fingerprint: fingerprintOf(plan) }
}

/** Loads the program and builds the plan of its job, or of its first step. Throws PROGRAM_INVALID, CORRUPT. */
export async function planOf(world: LoadWorld, options: LoadOptions, choices?: PlanChoices): Promise<PlannedProgram> {
  const program = await loadProgram(world, options)
  if (program.job.kind === 'mapReduce') return { ...program, ...planJob(lowerJob(program), choices) }
  const run = new ProgramRun({
    dataflow: program.job.dataflow, params: program.params, seed: 0, nowMs: 0, call: world.call, isReplay: true,
    rest: () => Promise.resolve(),
  })
  run.start()
  const step = await run.reached(1)
  if (!step) throw await run.ended.then(() => undefined, (error: unknown) => notLoaded(program, error))
  return { ...program, ...planJob(lowerStep(step), choices) }
}

/** Error of a program that has thrown before its first step. */
export function notLoaded({ stacks }: Pick<Program, 'stacks'>, thrown: unknown): GristmillError {
  const { message, stack } = stacks.describe(thrown)
  return new GristmillError('PROGRAM_INVALID', `the program cannot be loaded: ${message}`, {
    cause: thrown, details: { ...(stack !== undefined && { output: stack, stack }) },
  })
}
