// Lays out a planned program as a job: chooses joins by broadcast from the sizes of inputs, applies the rules of the optimizer, and divides
// the plan into stages.

import { GristmillError } from '../../src/base/errors.ts'
import { MiB } from '../../src/base/units.ts'
import { adaptOf } from '../../src/plan/adaptive.ts'
import { planBy } from '../../src/plan/choices.ts'
import { fingerprintOf } from '../../src/plan/fingerprint.ts'
import { unflatten, type FlatPlan } from '../../src/plan/flat.ts'
import { chooseJoins, type JoinChoice, type SizeOf } from '../../src/plan/joinchoice.ts'
import type { PlanShape } from '../../src/plan/node.ts'
import type { RuleNote } from '../../src/plan/optimize.ts'
import { broadcastJoins, ruleNames, rules } from '../../src/plan/rules.ts'
import { stagesOf, type BranchInput, type Stage } from '../../src/plan/stage.ts'
import type { JobSpec, StageInput, StageSpec } from '../../src/protocol/job.ts'

/** Bytes of input for one partition of a shuffle whose number of partitions is open. */
export const partitionBytesDefault = 64 * MiB

/** A stage before its splits are known. */
export interface PlannedStage
  extends Pick<Stage, 'name' | 'broadcasts' | 'output' | 'isSampling'>, Pick<StageSpec, 'adapt' | 'cpu' | 'memoryBytes'> {
  /** Inputs of its branches. */
  readonly inputs: readonly PlannedInput[]
}

export type PlannedInput = Exclude<BranchInput, { kind: 'values' }> | Extract<StageInput, { kind: 'values' }>

export interface Layout {
  readonly stages: readonly PlannedStage[]
  readonly fingerprint: string
  /** Undefined if submitters of earlier versions would make the same plan. */
  readonly choices: JobSpec['plan']
  /** For explain: the plan before and after the rules, what they did, and how joins were chosen. */
  readonly before: PlanShape
  readonly after: PlanShape
  readonly cut: readonly Stage[]
  readonly notes: readonly RuleNote[]
  readonly joins: readonly JoinChoice[]
}

interface LayoutOptions {
  /** Number of partitions that the run sets. */
  readonly partitions?: number | undefined
  /** Size of a partition where their number is open; default: `partitionBytesDefault`. */
  readonly partitionBytes?: number | undefined
  /** Names of rules that are switched off. */
  readonly withoutRules?: readonly string[] | undefined
  readonly sizeOf: SizeOf
}

/** Throws EINVAL for a name that no rule has. */
export function checkRuleNames(names: readonly string[]): void {
  const unknown = names.find(name => !ruleNames.includes(name))
  if (unknown !== undefined)
    throw new GristmillError('EINVAL', `there is no optimizer rule ${JSON.stringify(unknown)}; the rules are ${ruleNames.join(', ')}`)
}

/** Throws errors of `sizeOf`, and PROGRAM_INVALID for a plan of too many stages. */
export async function layOut(
  planned: FlatPlan, { partitions, partitionBytes = partitionBytesDefault, withoutRules = [], sizeOf }: LayoutOptions,
): Promise<Layout> {
  const before = unflatten(planned)
  const off = new Set(withoutRules)
  // The run would get another number of output files than it has asked for.
  if (partitions !== undefined) off.add('adopt-partitions')
  const joins = await chooseJoins(before, { isOff: off.has(broadcastJoins), isNumbered: partitions !== undefined, sizeOf })
  const broadcasts = joins.flatMap(({ join, side, isAutomatic }) => (side && isAutomatic ? [{ join, side }] : []))
  const notes: RuleNote[] = []
  const on = rules.flatMap(({ name }) => (off.has(name) ? [] : [name]))
  const after = planBy(before, { rules: on, broadcasts }, note => notes.push(note))
  const fingerprint = fingerprintOf(after)
  const isUsual = broadcasts.length === 0 && fingerprintOf(planBy(before)) === fingerprint
  const cut = stagesOf(after, { partitions })
  return {
    stages: cut.map(stage => {
      const { name, branches, broadcasts: read, output, isSampling, needs } = stage
      const adapt = adaptOf(stage, cut, after, { partitionBytes, partitions, isOff: rule => off.has(rule) })
      const inputs = branches.map(({ input }) => inputOf(input))
      return { name, inputs, broadcasts: read, output, isSampling, ...adapt && { adapt }, ...needs }
    }),
    fingerprint, before, after, cut, notes, joins,
    // A rule that changed nothing need not be known to the executors.
    choices: isUsual ? undefined : { rules: [...new Set(notes.map(({ rule }) => rule))], ...broadcasts.length > 0 && { broadcasts } },
  }
}

const inputOf = (input: BranchInput): PlannedInput => (input.kind === 'values' ? { kind: 'values', parts: input.parts } : input)
