// Mutations of jobs. The scheduler decides; these verify that the decision is still valid: a task is committed once, a job
// ends once, and a job's end and its visible effects happen in one transaction.

import { attemptParts, type AttemptId, type JobId, type RequestId } from '../../../src/base/ids.ts'
import { GristmillError } from '../../../src/base/errors.ts'
import { limits } from '../../../src/base/limits.ts'
import { isWithin } from '../../../src/base/paths.ts'
import { inputsOf, type JobSpec, type JobStatus } from '../../../src/protocol/job.ts'
import { isDrive } from '../../../src/protocol/task.ts'
import { mutation, type Actor, type AnyMutation } from '../../journal/operation.ts'
import type { Draft } from '../../journal/draft.ts'
import { idKey } from '../../journal/keys.ts'
import { stagingDirectory } from '../../namespace/format.ts'
import { advice, alteredAdvice, keptStatus, uncheckedAdvice, unkept } from './keptstatus.ts'
import type { JobRecord, LayoutRecord, TakenSplits, TaskRecord } from './record.ts'
import {
  dropHead, dropLayouts, dropOutput, dropParams, dropSpec, dropTask, filesOf, headOf, jobName, jobNumber, firstWriter, nextNumber, putHead,
  putLayout,
  putOutput,
  paramsOf, putParams, putSpec, putTask, specOf, taskOf, tasksOf,
} from './rows.ts'
import { madeBy } from '../publish/made.ts'
import { checkOutput, filesIn, publishOutput, type KeepVersions, type OutputPlace } from '../publish/publish.ts'
import { driverOf } from '../scheduler/status.ts'
import { dropTaken, sentMutations, takeSent } from '../splits/pages.ts'
import { taskCount } from '../splits/splits.ts'
import {
  checkCommitted, dropStaging, keepStaging, openStaging, outputName, takeFiles, type CommittedFiles
} from '../publish/staging.ts'

/** Tasks of a forgotten job that are removed per step. */
const forgetMax = 1000

/** `apart`: the parameters are stored in their own row; earlier versions stored them in spec and head. */
export const submitJob = mutation<
  { requestId: RequestId; actor: Actor; spec: JobSpec; nowMs: number; clear?: boolean; apart?: boolean },
  JobId
>({
  kind: 'job.begin',
  mutate(draft, { actor, spec, nowMs, clear = false, apart = false }) {
    checkOutput(draft, actor, spec.output, spec.inputs)
    const taken = spec.stages.flatMap(inputsOf).flatMap(input =>
      input.kind === 'packed' && input.sent ? [takeSent(draft, actor, spec.output.path, input.sent)] : [],
    )
    return beginJob(draft, { actor, spec, nowMs, taken, clear, apart })
  },
})

interface BeginJob {
  readonly actor: Actor
  readonly spec: JobSpec
  readonly nowMs: number
  readonly taken?: readonly TakenSplits[]
  readonly clear?: boolean
  readonly apart?: boolean
}

/** Creates a job with its number, spec and staging. REQUIRES: its output has been checked. */
export function beginJob(draft: Draft, { actor, spec, nowMs, taken = [], clear = false, apart = false }: BeginJob): JobId {
  const number = nextNumber(draft)
  const job = jobName(number)
  openStaging(draft, job, actor.user, { nowMs, clear })
  const status: JobStatus = {
    job, name: spec.name, user: actor.user, state: 'running', version: 0, output: spec.output.path, ...driverOf(spec), submittedMs: nowMs,
    counters: {},
    stages: spec.stages.map(stage => ({
      name: stage.name, state: 'waiting',
      tasks: inputsOf(stage).reduce((sum, input) => sum + taskCount(input), 0),
      running: 0, done: 0, failedAttempts: 0, fraction: 0, counters: {},
    })),
  }
  const { program, params, seed, fingerprint } = spec
  putHead(draft, number, {
    user: actor.user, root: actor.root, submittedMs: nowMs, term: 0, status,
    about: { program, ...(!apart && { params }), seed, fingerprint },
    ...hasCheck(spec) && { checked: true as const },
    ...(taken.length > 0 && { taken }),
  })
  if (apart) putParams(draft, number, params)
  putSpec(draft, number, apart ? { ...spec, params: {} } : spec)
  putOutput(draft, number, spec.output.path)
  return job
}

/** Result: the number of restarts that the job has seen. */
export const resumeJob = mutation<{ job: JobId; apart?: boolean }, number>({
  kind: 'job.resume',
  mutate(draft, { job, apart = false }) {
    const { number, head } = runningJob(draft, job)
    putHead(draft, number, { ...apart ? trimmed(head) : head, term: head.term + 1 })
    if (apart) moveParams(draft, number)
    // Jobs begun by earlier versions have no row in this table.
    putOutput(draft, number, head.status.output)
    return head.term + 1
  },
})

/** Moves the parameters of a job begun by an earlier version to their own row. */
function moveParams(draft: Draft, number: number): void {
  if (draft.has('jobparams', idKey(number))) return
  const spec = specOf(draft, number)
  if (!spec) return
  putParams(draft, number, spec.params)
  putSpec(draft, number, { ...spec, params: {} })
}

const trimmed = ({ about: { params: _, ...about }, ...head }: JobRecord): JobRecord => ({ ...head, about })

/** Removes the parameters from the head of a job begun by an earlier version; they made the head large. */
export const trimJob = mutation<{ job: JobId }, undefined>({
  kind: 'job.trim',
  mutate(draft, { job }) {
    const number = jobNumber(job)
    const head = number === undefined ? undefined : headOf(draft, number)
    if (number !== undefined && head) putHead(draft, number, trimmed(head))
    return undefined
  },
})

/**
 * Records that a task is done; files of the last stage move from the attempt's directory to the staged output. `inherits`: they get the
 * default list that new files in the output will get; operations of earlier versions lack it.
 */
export const commitTask = mutation<{ job: JobId; record: TaskRecord; inherits?: boolean }, undefined>({
  kind: 'job.commit',
  mutate(draft, { job, record, inherits = false }) {
    const { number, head } = runningJob(draft, job)
    const won = record.won!
    const other = taskOf(draft, number, record.stage, record.task)?.won
    if (other)
      throw new GristmillError(
        'EEXIST',
        `task ${record.task} of stage ${record.stage} of ${job} is done already, by attempt ${other.attempt}`,
        { details: { job } },
      )
    if (won.output.kind === 'files') takeFiles(draft, job, {
      attempt: won.attempt, files: won.output.files, guard: inherits ? filesIn(draft, head.status.output) : undefined,
    })
    putTask(draft, number, record)
    return undefined
  },
})

/** Records the failed attempts of a task. No effect if an attempt has been committed, or the job has ended. */
export const recordTries = mutation<{ job: JobId; record: TaskRecord }, undefined>({
  kind: 'job.tried',
  mutate(draft, { job, record }) {
    const number = jobNumber(job)
    if (number === undefined || headOf(draft, number)?.status.state !== 'running') return undefined
    if (!taskOf(draft, number, record.stage, record.task)?.won) putTask(draft, number, record)
    return undefined
  },
})

/** The output of a committed task is lost. No effect if another attempt has been committed since. */
export const loseOutput = mutation<{ job: JobId; attempt: AttemptId }, undefined>({
  kind: 'job.lose',
  mutate(draft, { job, attempt }) {
    const number = jobNumber(job)
    const place = attemptParts(attempt)
    if (number === undefined || headOf(draft, number)?.status.state !== 'running') return undefined
    const record = taskOf(draft, number, place.stage, place.task)
    if (record?.won?.attempt === attempt) dropTask(draft, number, place)
    return undefined
  },
})

/** Keeps the tasks of a stage that adaptive rules have made. No effect if the job has ended. */
export const rewriteStage = mutation<{ job: JobId } & LayoutRecord, undefined>({
  kind: 'job.rewrite',
  mutate(draft, { job, stage, layout }) {
    const number = jobNumber(job)
    if (number === undefined || headOf(draft, number)?.status.state !== 'running') return undefined
    putLayout(draft, number, { stage, layout })
    return undefined
  },
})

/** Ends a job that publishes nothing. `keep`: its output is kept, so that it can be published later. */
export const finishJob = mutation<
  {
    job: JobId
    status: JobStatus
    failed?: TaskRecord | undefined
    /** Not recorded by earlier versions. */
    unfinished?: readonly TaskRecord[]
    /** `altered`: it is not what its tasks have written, and cannot be published. */
    keep?: { readonly nowMs: number; readonly untilMs: number; readonly bytes?: number; readonly altered?: boolean }
  },
  undefined
>({
  kind: 'job.finish',
  mutate(draft, { job, status, failed, unfinished = [], keep }) {
    const { number, head } = runningJob(draft, job)
    if (failed) putTask(draft, number, failed)
    // A commit that was on its way when the job's end was decided counts.
    for (const record of unfinished) if (!taskOf(draft, number, record.stage, record.task)?.won) putTask(draft, number, record)
    const isKept = keep && !specOf(draft, number)?.output.result && keepStaging(draft, job, head.user, keep.nowMs)
    if (!isKept) endJob(draft, number, head, status)
    else {
      const spec = specOf(draft, number)!
      const { inputs = [], patterns, output: { format } } = spec
      // Only jobs of this version have an origin: replays of older journals keep what they kept.
      const made = spec.origin && madeBy(job, { spec, params: paramsOf(draft, number), status, digest: undefined })
      const isUnchecked = hasCheck(spec) && status.stages.at(-1)?.state !== 'done'
      const rest = forgetPlan(draft, number, head)
      const { untilMs, bytes, altered } = keep
      const size = bytes === undefined ? {} : { bytes }
      const unchecked = isUnchecked && { unchecked: true as const }
      const advise = altered ? alteredAdvice : isUnchecked ? uncheckedAdvice : advice
      putHead(draft, number, {
        ...rest,
        status: keptStatus(status, { untilMs, ...size, format, ...(patterns && { patterns }), ...unchecked }, advise),
        kept: { untilMs, inputs, ...size, ...made && { made }, ...unchecked },
      })
    }
    return undefined
  },
})

/**
 * Ends a job as succeeded and makes its whole output visible, with `_SUCCESS`, replacing an old output if allowed. `digest`: of the files
 * that its tasks have committed (digestOf); refused if the staged output is anything else. Operations of earlier versions lack it,
 * `version` and `inherits`. `keptMs`: time in the journal's clock, for an output that is the result of a step.
 */
export const publishJob = mutation<
  {
    job: JobId; status: JobStatus; nowMs: number; trashMs?: number | undefined; digest?: string; version?: KeepVersions; keptMs?: number
    inherits?: boolean
  },
  undefined
>({
  kind: 'job.install',
  mutate(draft, { job, status, nowMs, trashMs, digest, version: keep, keptMs, inherits }) {
    const { number, head } = runningJob(draft, job)
    const spec = specOf(draft, number)!
    const committed = committedBy(draft, { number, head, digest })
    if (isDrive(spec)) {
      endJob(draft, number, head, status)
      return undefined
    }
    if (spec.output.result) return keepResult(draft, { number, head, status, committed, keptMs: keptMs! })
    const version = keep && { ...keep, made: madeBy(job, { spec, params: paramsOf(draft, number), status, digest }) }
    publishOutput(draft, {
      job, actor: { user: head.user, root: head.root }, owner: head.user, output: spec.output, nowMs, trashMs, committed, version, inherits,
    })
    endJob(draft, number, head, status)
    return undefined
  },
})

interface KeepResult {
  readonly number: number
  readonly head: JobRecord
  readonly status: JobStatus
  readonly committed: CommittedFiles | undefined
  readonly keptMs: number
}

/** Ends a job as succeeded whose output is the result of a step: it stays in the staging, where its program reads it. */
function keepResult(draft: Draft, { number, head, status, committed, keptMs }: KeepResult): undefined {
  const { job } = status
  if (committed) checkCommitted(draft, job, committed)
  keepStaging(draft, job, head.user, keptMs)
  putHead(draft, number, {
    ...forgetPlan(draft, number, head),
    status: { ...status, output: `${stagingDirectory}/${job}/${outputName}` },
    kept: { untilMs: keptMs + limits.resultKeepMs, inputs: [], result: true },
  })
  return undefined
}

const hasCheck = ({ stages }: Pick<JobSpec, 'stages'>): boolean => stages.at(-1)?.output.kind === 'check'

const committedBy = (
  draft: Draft, { number, head, digest }: { number: number; head: JobRecord; digest: string | undefined },
): CommittedFiles | undefined =>
  digest === undefined ? undefined : { digest, files: () => [...tasksOf(draft, number, firstWriter(head))].flatMap(filesOf) }

/**
 * Publishes a kept output; its job, which had failed, counts as succeeded. `digest`: as for publishJob. `sealed`: the version records it,
 * and the job keeps the time at which it had computed the output. Operations of earlier versions lack it and `inherits`.
 */
export const publishKept = mutation<
  {
    requestId: RequestId; actor: Actor; job: JobId; output: OutputPlace; nowMs: number; trashMs?: number | undefined; digest?: string
    version?: KeepVersions; sealed?: boolean; despiteCheck?: boolean; inherits?: boolean
  },
  undefined
>({
  kind: 'job.installKept',
  mutate(draft, {
    actor, job, output, nowMs, trashMs, digest, version: keep, sealed = false, despiteCheck = false, inherits,
  }) {
    const { number, head, kept } = keptJob(draft, actor, job, 'publish')
    if (kept.unchecked && !despiteCheck)
      throw new GristmillError(
        'EINVAL',
        `the output of ${job} has not passed its check; look at it in ${stagingDirectory}/${job}/${outputName}, and publish it all the same with `
        + `"gristmill job publish ${job} --despite-check"`,
        { details: { job } },
      )
    const { kept: _kept, ...rest } = head
    checkOutput(draft, actor, output, kept.inputs)
    const committed = committedBy(draft, { number, head, digest })
    const made = kept.made ?? { job, name: head.status.name, program: head.about.program, inputs: kept.inputs }
    const version = keep && {
      ...keep,
      made: { ...made, ...sealed && digest !== undefined && { digest }, ...kept.unchecked && { check: 'overruled' as const } },
    }
    publishOutput(draft, { job, actor, owner: head.user, output, nowMs, trashMs, committed, version, inherits })
    const { failure: _, kept: __, ...status } = head.status
    const { finishedMs } = status
    endJob(draft, number, rest, {
      ...status, state: 'succeeded', output: output.path, version: status.version + 1,
      finishedMs: sealed && finishedMs !== undefined ? finishedMs : nowMs,
    })
    return undefined
  },
})

/** Drops a kept output on the request of its owner. */
export const dropKept = mutation<{ requestId: RequestId; actor: Actor; job: JobId }, undefined>({
  kind: 'job.dropKept',
  mutate(draft, { actor, job }) {
    const { number, head } = keptJob(draft, actor, job, 'drop')
    dropStaging(draft, job)
    const rest = unkept(head)
    putHead(draft, number, { ...rest, status: { ...rest.status, version: rest.status.version + 1 } })
    return undefined
  },
})

/** Throws ENOENT, EACCES, and EINVAL if nothing is kept of the job. */
function keptJob(
  draft: Draft, actor: Actor, job: JobId, verb: 'publish' | 'drop',
): { number: number; head: JobRecord; kept: NonNullable<JobRecord['kept']> } {
  const number = jobNumber(job)
  const head = number === undefined ? undefined : headOf(draft, number)
  if (number === undefined || !head) throw new GristmillError('ENOENT', `there is no job ${job}`, { details: { job } })
  if (!actor.root && actor.user !== head.user)
    throw new GristmillError('EACCES', `job ${job} is ${head.user}'s; only ${head.user} or the cluster's superuser may ${verb} it`, {
      details: { job },
    })
  if (!head.kept || (verb === 'publish' && head.kept.result))
    throw new GristmillError(
      'EINVAL',
      verb === 'publish' ? `job ${job} cannot be published: ${whyNot(head)}` : `there is nothing to drop of job ${job}: ${whyNot(head)}`,
      { details: { job } },
    )
  return { number, head, kept: head.kept }
}

function whyNot(head: JobRecord): string {
  const { status } = head
  switch (status.state) {
    case 'succeeded':
      return isWithin(status.output, stagingDirectory)
        ? 'its output is the result of a step, for its program'
        : `its output is ${status.output} already`
    case 'failed':
      return 'nothing of it is kept, because it failed before it had computed everything or too long ago, because it was dropped, or because newer outputs are kept (settings keptOutputs and keptBytes); run it again'
    case 'cancelled':
      return 'it was cancelled, and nothing of it is kept; run it again'
    default:
      return 'it has not ended; when it succeeds, its output is published'
  }
}

export function endJob(draft: Draft, number: number, head: JobRecord, status: JobStatus): void {
  putHead(draft, number, { ...forgetPlan(draft, number, head), status })
  dropStaging(draft, status.job)
}

/** Removes the rows that only a running job needs: spec, parameters, splits, and reservation of the output path. */
function forgetPlan(draft: Draft, number: number, { taken, ...head }: JobRecord): JobRecord {
  dropSpec(draft, number)
  dropParams(draft, number)
  dropLayouts(draft, number)
  dropTaken(draft, taken)
  dropOutput(draft, number)
  return head
}

/** Forgets an ended job, one page of tasks per call. Result: true if there is more. */
export const forgetJob = mutation<{ number: number }, boolean>({
  kind: 'job.forget',
  mutate(draft, { number }) {
    const head = headOf(draft, number)
    if (!head || head.status.state === 'running') return false
    const page = [...tasksOf(draft, number, undefined, forgetMax)]
    for (const record of page) dropTask(draft, number, record)
    if (page.length === forgetMax) return true
    dropHead(draft, number)
    return false
  },
})

/** Removes orphaned staging, made by an attempt after the end of its job, and kept outputs that are due. */
export const sweepStaging = mutation<{ job: JobId }, undefined>({
  kind: 'job.sweep',
  mutate(draft, { job }) {
    const number = jobNumber(job)
    const head = number === undefined ? undefined : headOf(draft, number)
    if (head?.status.state === 'running') return undefined
    dropStaging(draft, job)
    if (number !== undefined && head?.kept) putHead(draft, number, unkept(head))
    return undefined
  },
})

export function runningJob(draft: Draft, job: JobId): { number: number; head: JobRecord } {
  const number = jobNumber(job)
  const head = number === undefined ? undefined : headOf(draft, number)
  if (number === undefined || !head) throw new GristmillError('ENOENT', `there is no job ${job}`, { details: { job } })
  if (head.status.state !== 'running')
    throw new GristmillError('EINVAL', `job ${job} has ended: it ${head.status.state}`, { details: { job } })
  return { number, head }
}

export const jobMutations: readonly AnyMutation[] = [
  submitJob, resumeJob, trimJob, commitTask, recordTries, loseOutput, rewriteStage, finishJob, publishJob, publishKept, dropKept, forgetJob,
  sweepStaging,
  ...sentMutations,
]
