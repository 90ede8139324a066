// Plan of a job for its submitter: loads the module, and builds plans. The result is plain data without functions, so this can run in
// another process (driving.ts); the submitter divides plans into stages (client/jobs/layout.ts).

import { isDeepStrictEqual } from 'node:util'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { OutputFormat } from '../../src/base/formats.ts'
import type { ProgramId } from '../../src/base/ids.ts'
import { fingerprintOf } from '../../src/plan/fingerprint.ts'
import { flatten, type FlatPlan } from '../../src/plan/flat.ts'
import { nodesOf, type Plan, type PlanNode } from '../../src/plan/node.ts'
import { outlineOf } from '../../src/plan/outline.ts'
import { loadProgram, loadWorkflow, type LoadOptions, type LoadWorld, type Program } from '../../src/program/load.ts'
import type { WorkflowDefinition } from '../../src/program/workflow.ts'
import { checkJson, Unwritable } from '../../src/record/jsontext.ts'
import { poisonedKey } from '../../src/rpc/body.ts'
import { checkDefaults, typedParams, untypedParams, type GivenParams } from './params.ts'

export interface PlanRequest {
  readonly id: ProgramId
  /** Name of the program in messages. */
  readonly name: string
  /** Directory of the bundle, which is named by its id. */
  readonly dir: string
  /** Parameters given with the run. */
  readonly params: GivenParams
  /** Input and output given with the run: parameters of a program over Datasets. */
  readonly paths?: { readonly input?: string | readonly string[] | undefined; readonly output?: string | undefined } | undefined
  /** The program's directory: modules find their files there until the assets are known. */
  readonly place?: string | undefined
  /** Distinguishes several loads in one process. */
  readonly instance: string
  /** Of the run of a program over Datasets: its random numbers, and the time of its start. */
  readonly seed: number
  readonly nowMs: number
  /** Times that the program has read in an earlier process of the same run. */
  readonly clock?: string | undefined
  /** Takes saves as done, and tells what the program does up to the first step whose result it needs. Nothing is run. */
  readonly peek?: boolean | undefined
  /** The module declares a workflow; nothing is planned. */
  readonly workflow?: boolean | undefined
}

export interface Planned {
  /** Parameters of the program, overridden by those of the run. */
  readonly params: Readonly<Record<string, unknown>>
  /** Before any rule of the optimizer. */
  readonly plan: FlatPlan
  /** True if the program names its input and output itself, by parameters of the run. */
  readonly ownPaths: boolean
  readonly outputFormat: OutputFormat
  /** Names of the files and directories to send along, as the program gives them. */
  readonly assets: readonly string[]
  /** Outline of the plan of a program over Datasets. */
  readonly outline?: string | undefined
  /** Its fingerprint, before any rule. */
  readonly lowered?: string | undefined
  /** Inputs named by the program itself. */
  readonly input: readonly string[]
  readonly output: string | undefined
}

/** A loaded program with the parameters that its tasks will get. */
export interface TypedProgram { readonly program: Program; readonly typed: Values }

type Values = PlanRequest['params']['values']

/**
 * Loads a program without calling the function of one over Datasets. Throws PROGRAM_INVALID, and EINVAL for parameters that the program
 * does not declare. REQUIRES: the bundle is in `dir`.
 */
export async function loadTyped(world: LoadWorld, request: PlanRequest): Promise<TypedProgram> {
  const { name, params, paths } = request
  const load = (own: Values): Promise<Program> => loadProgram(world, { ...localOf(request), params: own })
  const untyped = untypedParams(params)
  let built = untyped
  let program = await load(untyped).catch((error: unknown) => {
    // A program that is built from a text may fail for the number that the text looks like, before it has said what it wants.
    const asTexts = { ...params.values, ...params.texts }
    if (!hasCode(error, 'PROGRAM_INVALID') || isDeepStrictEqual(asTexts, untyped)) throw error
    built = asTexts
    return load(asTexts).catch(() => { throw error })
  })
  const declared = program.declared && await defaultsOf(program.declared, built, load)
  checkDefaults(declared, name)
  const typed = typedParams(program.job.kind === 'dataflow' && declared ? { ...declared, ...unset, ...paths } : declared, params, name)
  // A program that is built from its parameters is planned with those that its tasks will get.
  if (!isDeepStrictEqual(typed, untyped)) program = await load(typed)
  return { program, typed }
}

/**
 * The declared parameters, with the default of each one that the run gives. A program that is built from its parameters may declare what it
 * was given (`({ fast = false }) => mapReduce({ params: { fast } })`), which says nothing about the type: it is built again without that
 * parameter. One without which it cannot be built has no default.
 */
async function defaultsOf(declared: Values, given: Values, load: (params: Values) => Promise<Program>): Promise<Values> {
  const defaults: Record<string, unknown> = { ...declared }
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(declared, name) || !isDeepStrictEqual(declared[name], value)) continue
    const { [name]: _, ...others } = given
    const without = await load(others).then(built => built.declared, () => undefined)
    if (without && Object.hasOwn(without, name)) defaults[name] = without[name]
  }
  return defaults
}

/**
 * The declaration of a workflow. Throws PROGRAM_INVALID if the module exports none, and EINVAL for a parameter that JSON cannot represent.
 * REQUIRES: the bundle is in `dir`.
 */
export async function declaredWorkflow(world: LoadWorld, request: PlanRequest): Promise<WorkflowDefinition> {
  const definition = await loadWorkflow(world, localOf(request))
  const datasets = Object.entries(definition.datasets).map(([path, dataset]) =>
    [path, { ...dataset, ...dataset.params && { params: paramsOf(dataset.params, `the parameter of ${path}`) } }] as const)
  return { ...definition, datasets: Object.fromEntries(datasets) }
}

/** Loads the bundle that is in the local directory. */
const localOf = ({ id, dir, name, paths, instance }: PlanRequest): LoadOptions => ({
  id, dir, params: {}, paths, instance,
  fetch: async () => {
    throw new GristmillError('CORRUPT', `the bundle of ${name} in ${dir} has been changed; submit it again`)
  },
})

/** The plan of a job, before any rule. Throws EINVAL for parameters that JSON cannot represent. */
export function plannedJob({ program, typed }: TypedProgram, plan: Plan, { name, paths }: PlanRequest): Planned {
  const { job, declared, assetNames } = program
  const { input, output } = job.kind === 'mapReduce' ? job.definition : { input: { path: pathsRead(plan.root) }, output: plan.root }
  const path = input?.path
  return {
    params: paramsOf({ ...declared, ...job.kind === 'dataflow' && paths, ...typed }, `the parameter of ${name}`),
    plan: flatten(plan), outputFormat: plan.root.output.format, ownPaths: job.kind === 'dataflow',
    assets: [...assetNames],
    ...job.kind === 'dataflow' && { outline: outlineOf(plan), lowered: fingerprintOf(plan) },
    input: path === undefined ? [] : typeof path === 'string' ? [path] : [...path],
    output: output?.path,
  }
}

/** Parameters that every program over Datasets has, if the run does not set them. */
const unset = { input: undefined, output: undefined }

/** Paths that the program reads, each once. */
export const pathsRead = (root: PlanNode): string[] =>
  [...new Set(nodesOf(root).flatMap(node => (node.kind === 'read' ? node.paths ?? [] : [])))]

/** Parameters without undefined ones. Throws EINVAL for a value that JSON would change: parameters are sent as JSON. */
export function paramsOf(params: Readonly<Record<string, unknown>>, whose: string): Record<string, unknown> {
  const given = Object.entries(params).filter(([, value]) => value !== undefined)
  for (const [name, value] of given) {
    try {
      checkJson(value)
    } catch (error) {
      if (!(error instanceof Unwritable)) throw error
      throw new GristmillError(
        'EINVAL',
        `${whose} ${JSON.stringify(name)} holds ${error.what}${error.path === '' ? '' : ` at ${error.path}`}, which cannot be written ` +
        `as JSON; ${error.advice}`,
        { cause: error },
      )
    }
    const poisoned = poisonedKey(Object.fromEntries([[name, value]]))
    if (poisoned !== undefined)
      throw new GristmillError(
        'EINVAL',
        name === poisoned
          ? `${whose} ${JSON.stringify(name)} cannot have this name; choose another one`
          : `${whose} ${JSON.stringify(name)} has an object with the key ${JSON.stringify(poisoned)}, which no parameter may have; rename the key`,
      )
  }
  return Object.fromEntries(given)
}
