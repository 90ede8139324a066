// Jobs as their owner sees them: submit, watch, kill. A job is a list of stages; each has one task a split or partition.

import Type, { type Static } from './schema.ts'
import { GristmillError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import {
  address, attemptId, count, counters, empty, failure, instant, jobId, nodeId, path, programId, requestId, splitsId, text,
} from './fields.ts'
import { message } from './message.ts'
import { environment, inputOptions, outputFormat, split, taskOutput } from './task.ts'

const packedSplits = Type.Array(text(limits.splitsBodyBytesMax), { maxItems: limits.stageTasksMax })

/** Splits that were sent before their job: in how many pages, and how many they are. */
export const sentSplits = Type.Object({ id: splitsId, pages: count, tasks: count })
export type SentSplits = Static<typeof sentSplits>

export const stageSpec = Type.Object({
  name: text(100),
  input: Type.Union([
    /** As clients of earlier versions send them. */
    Type.Object({ kind: Type.Literal('splits'), splits: Type.Array(split, { maxItems: limits.stageTasksMax }), options: inputOptions }),
    /** Packed splits (packed.ts): behind those that `job.splits` has brought, those that had room in this message. */
    Type.Object({ kind: Type.Literal('packed'), sent: Type.Optional(sentSplits), splits: packedSplits, options: inputOptions }),
    /** One task a partition of an earlier stage. */
    Type.Object({ kind: Type.Literal('shuffle'), stage: count, partitions: count }),
  ]),
  output: taskOutput,
})
export type StageSpec = Static<typeof stageSpec>

export const jobSpec = Type.Object({
  name: text(200),
  program: Type.Object({ id: programId, path }),
  params: Type.Record(Type.String(), Type.Unknown()),
  /** Environment variables of its tasks. */
  env: Type.Optional(environment),
  /** Seeds the program's own randomness; the same for all attempts. */
  seed: count,
  fingerprint: text(64),
  stages: Type.Array(stageSpec, { minItems: 1, maxItems: 100 }),
  /**
   * Where the last stage's files are published. EEXIST unless `overwrite`, which replaces the output of a job in the same transaction;
   * ENOTEMPTY if something else is there, unless `force` too.
   */
  output: Type.Object({ path, overwrite: Type.Boolean(), force: Type.Optional(Type.Boolean()), format: outputFormat }),
  /** Files and directories that were named as input: the output may not lie in them, nor they in it. */
  inputs: Type.Optional(Type.Array(path, { maxItems: 10_000 })),
  /** Patterns that were named as input. */
  patterns: Type.Optional(Type.Array(path, { maxItems: 10_000 })),
  /** Tries of one task before the job fails. */
  attemptsMax: Type.Integer({ minimum: 1, maximum: 100 }),
  /** Memory of one executor. */
  memoryBytes: count,
  /** One attempt may take this long; 0: as long as it likes. */
  taskDeadlineMs: count,
})
export type JobSpec = Static<typeof jobSpec>

/** Throws TOO_LARGE. The client asks before it sends anything, the namenode before the job begins. */
export function checkParams(params: JobSpec['params']): void {
  const bytes = Buffer.byteLength(JSON.stringify(params))
  if (bytes <= limits.jobParamsBytesMax) return
  throw new GristmillError(
    'TOO_LARGE',
    `the job's parameters have ${bytes} bytes as JSON and may have ${limits.jobParamsBytesMax}, for they travel with every task; store what is large as a file, and give it as input or among the program's assets`,
  )
}

/**
 * A page of the splits of a job that is about to be submitted, for jobs whose splits are too many for one message. Pages come one after
 * the other, from 0 on, under an id that their sender chooses. ESTALE: the pages before are not there any more (limits.splitsKeptMs
 * have passed, or the namenode was started again); begin again under another id.
 */
export const splits = message('job.splits', {
  mutation: true, bodyBytesMax: limits.splitsBodyBytesMax,
  /** `output`: of the job that will be submitted. */
  request: Type.Object({
    requestId, id: splitsId, page: count, output: path,
    splits: Type.Array(text(limits.splitsBodyBytesMax), { minItems: 1, maxItems: limits.stageTasksMax }),
  }),
  reply: empty,
})

export const submit = message('job.submit', {
  mutation: true,
  bodyBytesMax: limits.jobBodyBytesMax,
  request: Type.Object({ requestId, spec: jobSpec }),
  reply: Type.Object({ job: jobId }),
})

export const jobState = Type.Union([
  Type.Literal('running'), Type.Literal('publishing'), Type.Literal('succeeded'), Type.Literal('failed'), Type.Literal('cancelled'),
])
export type JobState = Static<typeof jobState>

export const stageStatus = Type.Object({
  name: text(100),
  /** `waiting` for an earlier stage. */
  state: Type.Union([Type.Literal('waiting'), Type.Literal('running'), Type.Literal('done'), Type.Literal('failed')]),
  tasks: count,
  running: count,
  done: count,
  failedAttempts: count,
  /** 0 to 1, with the progress of running attempts. */
  fraction: Type.Number(),
  startedMs: Type.Optional(instant),
  finishedMs: Type.Optional(instant),
  counters,
})
export type StageStatus = Static<typeof stageStatus>

export const jobStatus = Type.Object({
  job: jobId,
  name: text(200),
  user: text(255),
  state: jobState,
  /** Rises with each change; a watcher passes the last one it saw. */
  version: count,
  output: path,
  submittedMs: instant,
  finishedMs: Type.Optional(instant),
  failure: Type.Optional(failure),
  /** Its output was computed and could not be published; it is kept until then, for `job.publish`. */
  kept: Type.Optional(Type.Object({
    untilMs: instant,
    /** Of its files; missing in what an earlier version has kept. */
    bytes: Type.Optional(count),
    format: Type.Optional(outputFormat),
    /** How many patterns are among its inputs: whoever publishes it elsewhere asks for them (`job.patterns`). */
    patternCount: Type.Optional(count),
    /** The patterns themselves, as namenodes of earlier versions tell them. */
    patterns: Type.Optional(Type.Array(path, { maxItems: 10_000 })),
  })),
  stages: Type.Array(stageStatus),
  /** Sum over committed attempts of all stages. */
  counters,
})
export type JobStatus = Static<typeof jobStatus>

export const attemptStatus = Type.Object({
  attempt: attemptId,
  node: nodeId,
  host: text(255),
  locality: Type.Union([Type.Literal('node'), Type.Literal('rack'), Type.Literal('any')]),
  state: Type.Union([Type.Literal('running'), Type.Literal('done'), Type.Literal('failed'), Type.Literal('killed'), Type.Literal('lost')]),
  startedMs: instant,
  finishedMs: Type.Optional(instant),
  fraction: Type.Number(),
  counters,
  failure: Type.Optional(failure),
})
export type AttemptStatus = Static<typeof attemptStatus>

export const taskStatus = Type.Object({
  stage: count,
  task: count,
  state: Type.Union([Type.Literal('waiting'), Type.Literal('running'), Type.Literal('done'), Type.Literal('failed')]),
  attempts: Type.Array(attemptStatus),
})
export type TaskStatus = Static<typeof taskStatus>

/** The status now, or as soon as its version is above `after`; after limits.longPollMs the same version again. */
export const watch = message('job.watch', {
  waits: true,
  request: Type.Object({ job: jobId, after: Type.Optional(count) }),
  reply: jobStatus,
})

/** Newest first, from the one before `before` on. A page may be short; `next` is missing on the last one. */
export const jobs = message('job.list', {
  request: Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })), before: Type.Optional(jobId) }),
  reply: Type.Object({ jobs: Type.Array(jobStatus), next: Type.Optional(jobId) }),
})

/** Tasks of a job with their attempts, a page at a time, in (stage, task) order. */
export const tasks = message('job.tasks', {
  request: Type.Object({
    job: jobId, stage: Type.Optional(count), from: Type.Optional(count),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  }),
  reply: Type.Object({ tasks: Type.Array(taskStatus), next: Type.Optional(count) }),
})

/** Nothing of it is published afterwards. Killing a job that has ended is not an error. */
export const kill = message('job.kill', {
  mutation: true,
  request: Type.Object({ requestId, job: jobId }),
  reply: jobStatus,
})

/** Publishes what is kept of a job whose publishing failed. The conditions of an output are those of `submit`. */
export const publish = message('job.publish', {
  mutation: true,
  request: Type.Object({
    requestId, job: jobId,
    output: Type.Object({ path, overwrite: Type.Optional(Type.Boolean()), force: Type.Optional(Type.Boolean()) }),
  }),
  reply: jobStatus,
})

/**
 * Patterns among the inputs of a job whose output is kept: whoever publishes it looks that the output does not overlap what they match.
 * For its owner and the superuser; up to limits.jobBodyBytesMax of them. EINVAL if nothing is kept.
 */
export const patterns = message('job.patterns', {
  request: Type.Object({ job: jobId }),
  reply: Type.Object({ patterns: Type.Array(path, { maxItems: 10_000 }) }),
})

/** What is kept of a job whose publishing failed goes, for good. EINVAL if nothing is kept. */
export const drop = message('job.drop', {
  mutation: true,
  request: Type.Object({ requestId, job: jobId }),
  reply: jobStatus,
})

/**
 * Which nodes hold logs of a job's attempts, in (stage, task) order, from a task on that is counted as in `job.tasks`. A page may be
 * short; `next` is missing on the last one. Without `from`, as clients of earlier versions ask: all, or TOO_LARGE where one page is not
 * enough.
 */
export const logPlaces = message('job.logs', {
  request: Type.Object({ job: jobId, from: Type.Optional(count) }),
  reply: Type.Object({
    attempts: Type.Array(Type.Object({ attempt: attemptId, node: nodeId, address, alive: Type.Boolean() })),
    next: Type.Optional(count),
  }),
})

