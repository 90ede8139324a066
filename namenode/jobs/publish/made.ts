// Record of the job that makes a version, taken from the job's spec before that is dropped.

import { limits } from '../../../src/base/limits.ts'
import type { JobSpec, JobStatus } from '../../../src/protocol/job.ts'
import type { MadeBy } from '../../versions/rows.ts'

export function madeBy(
  job: JobStatus['job'],
  { spec, params = {}, status, digest }: {
    readonly spec: JobSpec
    readonly params: JobSpec['params'] | undefined
    readonly status: JobStatus
    readonly digest: string | undefined
  },
): MadeBy {
  const { name, program, fingerprint, seed, env, inputs = [], patterns = [], origin, output } = spec
  const { attemptsMax, memoryBytes, taskDeadlineMs, cpu } = spec
  const { recordsOut: rows, bytesOut: bytes } = status.counters
  const last = spec.stages.at(-1)
  return {
    job, name, program, fingerprint, seed,
    ...JSON.stringify(params).length <= limits.versionParamsCharsMax && { params },
    ...env && { env: Object.keys(env) },
    inputs: [...inputs, ...patterns], ...origin && { origin },
    limits: { attemptsMax, memoryBytes, taskDeadlineMs, ...cpu !== undefined && { cpu } }, format: output.format,
    ...rows !== undefined && { rows }, ...bytes !== undefined && { bytes }, ...digest !== undefined && { digest },
    ...last?.output.kind === 'check' && status.stages.at(-1)?.state === 'done' && { check: 'passed' },
  }
}
