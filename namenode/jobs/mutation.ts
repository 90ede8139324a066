// What can happen to jobs in the journal. The scheduler decides, these check that it can still be so: a task is committed
// once, a job ends once, and what the end of a job shows appears in the same transaction.

import { attemptParts, type AttemptId, type JobId, type RequestId } from '../../src/base/ids.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { JobSpec, JobStatus } from '../../src/protocol/job.ts'
import { mutation, type Actor, type AnyMutation } from '../journal/operation.ts'
import type { Draft } from '../journal/draft.ts'
import type { JobRecord, TaskRecord } from './record.ts'
import { dropHead, dropSpec, dropTask, headOf, jobName, jobNumber, nextNumber, putHead, putSpec, putTask, specOf, taskOf, tasksOf } from './rows.ts'
import { checkOutput, dropStaging, openStaging, publishOutput, takeFiles } from './staging.ts'

/** Tasks of a forgotten job that are removed in one step. */
const forgetMax = 1000

export const submitJob = mutation<{ requestId: RequestId; actor: Actor; spec: JobSpec; nowMs: number }, JobId>({
  kind: 'job.submit',
  mutate(draft, { actor, spec, nowMs }) {
    checkOutput(draft, actor, spec.output)
    const number = nextNumber(draft)
    const job = jobName(number)
    openStaging(draft, job, actor.user, nowMs)
    const status: JobStatus = {
      job, name: spec.name, user: actor.user, state: 'running', version: 0, output: spec.output.path, submittedMs: nowMs, counters: {},
      stages: spec.stages.map(({ name, input }) => ({
        name, state: 'waiting', tasks: input.kind === 'splits' ? input.splits.length : input.partitions, running: 0, done: 0, failedAttempts: 0, fraction: 0, counters: {},
      })),
    }
    const { program, params, seed, fingerprint } = spec
    putHead(draft, number, { user: actor.user, root: actor.root, submittedMs: nowMs, term: 0, status, about: { program, params, seed, fingerprint } })
    putSpec(draft, number, spec)
    return job
  },
})

/** The result is how many lives of the namenode the job has seen. */
export const resumeJob = mutation<{ job: JobId }, number>({
  kind: 'job.resume',
  mutate(draft, { job }) {
    const { number, head } = running(draft, job)
    putHead(draft, number, { ...head, term: head.term + 1 })
    return head.term + 1
  },
})

/** Records that a task is done; files of a last stage move from the attempt's own directory to where they will be published from. */
export const commitTask = mutation<{ job: JobId; record: TaskRecord }, undefined>({
  kind: 'job.commit',
  mutate(draft, { job, record }) {
    const { number } = running(draft, job)
    const won = record.won!
    const other = taskOf(draft, number, record.stage, record.task)?.won
    if (other) throw new GristmillError('EEXIST', `task ${record.task} of stage ${record.stage} of ${job} is done already, by attempt ${other.attempt}`, { details: { job } })
    if (won.output.kind === 'files') takeFiles(draft, job, won.attempt, won.output.files)
    putTask(draft, number, record)
    return undefined
  },
})

/** The output of a committed task is gone. Nothing happens if it is no longer that attempt's. */
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

/** The job ends and publishes nothing. */
export const finishJob = mutation<{ job: JobId; status: JobStatus; failed?: TaskRecord | undefined }, undefined>({
  kind: 'job.finish',
  mutate(draft, { job, status, failed }) {
    const { number, head } = running(draft, job)
    if (failed) putTask(draft, number, failed)
    end(draft, number, head, status)
    return undefined
  },
})

/** The job succeeds, and its output is there: all of it, with `_SUCCESS`, in the place of an old one if it may be. */
export const publishJob = mutation<{ job: JobId; status: JobStatus; nowMs: number }, undefined>({
  kind: 'job.publish',
  mutate(draft, { job, status, nowMs }) {
    const { number, head } = running(draft, job)
    const spec = specOf(draft, number)!
    publishOutput(draft, { job, actor: { user: head.user, root: head.root }, output: spec.output, nowMs })
    end(draft, number, head, status)
    return undefined
  },
})

function end(draft: Draft, number: number, head: JobRecord, status: JobStatus): void {
  putHead(draft, number, { ...head, status })
  dropSpec(draft, number)
  dropStaging(draft, status.job)
}

/** Forgets an ended job, a page of its tasks at a time. The result: is there more to do? */
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

/** Removes staging that an attempt made after its job had ended. */
export const sweepStaging = mutation<{ job: JobId }, undefined>({
  kind: 'job.sweep',
  mutate(draft, { job }) {
    const number = jobNumber(job)
    if (number === undefined || headOf(draft, number)?.status.state !== 'running') dropStaging(draft, job)
    return undefined
  },
})

function running(draft: Draft, job: JobId): { number: number; head: JobRecord } {
  const number = jobNumber(job)
  const head = number === undefined ? undefined : headOf(draft, number)
  if (number === undefined || !head) throw new GristmillError('ENOENT', `there is no job ${job}`, { details: { job } })
  if (head.status.state !== 'running') throw new GristmillError('EINVAL', `job ${job} has ended: it ${head.status.state}`, { details: { job } })
  return { number, head }
}

export const jobMutations: readonly AnyMutation[] = [submitJob, resumeJob, commitTask, loseOutput, finishJob, publishJob, forgetJob, sweepStaging]
