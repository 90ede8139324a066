// A program's plan as its submitter needs it: loaded once, its plan built and cut into stages, nothing of it called. Functions stay
// behind; what comes out is plain data, so that all of this can happen in another process.

import { GristmillError } from '../../src/base/errors.ts'
import type { ProgramId } from '../../src/base/ids.ts'
import { fingerprintOf } from '../../src/plan/fingerprint.ts'
import { planMapReduce } from '../../src/plan/mapreduce.ts'
import { optimize } from '../../src/plan/rules.ts'
import { stagesOf } from '../../src/plan/stage.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Modules } from '../../src/ports/modules.ts'
import { loadProgram } from '../../src/program/load.ts'
import type { StageSpec } from '../../src/protocol/job.ts'
import type { InputOptions, OutputFormat, TaskOutput } from '../../src/protocol/task.ts'
import { checkJson, Unwritable } from '../../src/record/jsontext.ts'

export interface PlanRequest {
  readonly id: ProgramId
  /** What the program is called in messages. */
  readonly name: string
  /** Where its bundle lies, under its id. */
  readonly dir: string
  /** Of the run. */
  readonly params: Readonly<Record<string, unknown>>
  /** Partitions of the shuffle, if the run says. */
  readonly partitions?: number | undefined
  /** The program's own directory: until its assets are known, its modules find their files there. */
  readonly place?: string | undefined
  /** Tells loads of one process apart. */
  readonly instance: string
}

/** A stage before it is known which splits its input has. */
export interface PlannedStage {
  readonly name: string
  readonly input: { readonly kind: 'files'; readonly options: InputOptions } | Extract<StageSpec['input'], { kind: 'shuffle' }>
  readonly output: TaskOutput
}

export interface Planned {
  /** The run's over the program's own. */
  readonly params: Readonly<Record<string, unknown>>
  readonly fingerprint: string
  readonly stages: readonly PlannedStage[]
  readonly outputFormat: OutputFormat
  /** Files and directories that travel along, as the program says them. */
  readonly assets: readonly string[]
  /** What the program itself names. */
  readonly input: readonly string[]
  readonly output: string | undefined
}

/** Throws PROGRAM_INVALID, and EINVAL for parameters that are no JSON. REQUIRES: the bundle is in `dir`. */
export async function planProgram(
  world: { disk: Disk; modules?: Modules | undefined },
  { id, name, dir, params, partitions, instance }: PlanRequest,
): Promise<Planned> {
  const { definition, params: merged } = await loadProgram(world, {
    id, dir, params, instance,
    fetch: async () => {
      throw new GristmillError('CORRUPT', `the bundle of ${name} in ${dir} has been changed; submit it again`)
    },
  })
  const plan = optimize(planMapReduce(definition))
  const path = definition.input?.path
  return {
    params: paramsOf(merged, `the parameter of ${name}`),
    fingerprint: fingerprintOf(plan), outputFormat: plan.root.output.format,
    stages: stagesOf(plan, { partitions }).map(({ name: stage, input, output }) => ({ name: stage, input, output })),
    assets: [...(definition.assets ?? [])],
    input: path === undefined ? [] : typeof path === 'string' ? [path] : [...path],
    output: definition.output?.path,
  }
}

/** Those that were said. Throws EINVAL for one that would not arrive as it is: parameters travel as JSON. */
export function paramsOf(params: Readonly<Record<string, unknown>>, whose: string): Record<string, unknown> {
  const said = Object.entries(params).filter(([, value]) => value !== undefined)
  for (const [name, value] of said) {
    try {
      checkJson(value)
    } catch (error) {
      if (!(error instanceof Unwritable)) throw error
      throw new GristmillError(
        'EINVAL',
        `${whose} ${JSON.stringify(name)} holds ${error.what}${error.path === '' ? '' : ` at ${error.path}`}, which cannot be written as JSON; ${error.advice}`,
        { cause: error },
      )
    }
  }
  return Object.fromEntries(said)
}
