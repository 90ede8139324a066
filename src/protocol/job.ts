// Messages of a job's owner: submit, watch, kill. A job is a list of stages; each has one task per split or partition.

import Type, { type Static } from './schema.ts'
import { GristmillError, hasCode } from '../base/errors.ts'
import { priorityMax, queueNameMax } from '../base/jobqueues.ts'
import { limits } from '../base/limits.ts'
import { systemDirectory } from '../base/paths.ts'
import {
  address, attemptId, count, counters, empty, failure, inodeId, instant, jobId, nodeId, path, programId, requestId, splitsId, text,
} from './fields.ts'
import { message } from './message.ts'
import { driver, environment, inputOptions, outputFormat, planChoices, split, taskOutput, taskParts } from './task.ts'

const packedSplits = Type.Array(text(limits.splitsBodyBytesMax), { maxItems: limits.stageTasksMax })

/** Splits sent before their job: number of pages and of tasks. */
const sentSplits = Type.Object({ id: splitsId, pages: count, tasks: count })
export type SentSplits = Static<typeof sentSplits>

/** Place of a job within its queue. */
const priority = Type.Integer({ minimum: -priorityMax, maximum: priorityMax })

const stageInput = Type.Union([
  /** Sent by clients of earlier versions. */
  Type.Object({ kind: Type.Literal('splits'), splits: Type.Array(split, { maxItems: limits.stageTasksMax }), options: inputOptions }),
  /** Packed splits (packed.ts): those sent with `job.splits`, followed by those in this message. */
  Type.Object({ kind: Type.Literal('packed'), sent: Type.Optional(sentSplits), splits: packedSplits, options: inputOptions }),
  /** One task per partition of an earlier stage. */
  Type.Object({ kind: Type.Literal('shuffle'), stage: count, partitions: count }),
  /** One task per partition, which reads this partition of each of these stages. */
  Type.Object({
    kind: Type.Literal('join'), stages: Type.Array(count, { minItems: 2, maxItems: limits.jobStagesMax }), partitions: count,
  }),
  /** Tasks that read nothing: the program computes the values of each part. */
  Type.Object({ kind: Type.Literal('values'), parts: count }),
  /** One task, which reads the files that an earlier stage has written; nothing of them is published yet. */
  Type.Object({ kind: Type.Literal('output'), stage: count }),
])
export type StageInput = Static<typeof stageInput>

/**
 * What the namenode may rewrite when the sizes of all partitions that the stage reads are known. A rule is used if its field is there.
 * Sides are counted in the order of the stages that are read.
 */
const adapt = Type.Object({
  /** merge-partitions: a task reads neighbouring partitions of up to so many bytes. */
  mergeBytes: Type.Optional(count),
  /** drop-empty-partitions: a partition gives nothing if all of these sides have nothing in it, for one of the lists. */
  empty: Type.Optional(Type.Array(Type.Array(count, { maxItems: 2 }), { maxItems: 2 })),
  /** split-partitions: more bytes, and five times the median, are read by several tasks. `sides`: that may be divided. */
  split: Type.Optional(Type.Object({ bytes: count, sides: Type.Array(count, { maxItems: 2 }) })),
  /** switch-joins: a side of up to so many bytes is a table for tasks that read parts of the other one. `sides`: that may be tables. */
  table: Type.Optional(Type.Object({ bytes: count, taskBytes: count, sides: Type.Array(count, { maxItems: 2 }) })),
})
export type Adapt = Static<typeof adapt>

/** Tasks of a stage in place of one for each partition, and the rules that have made them. */
const stageLayout = Type.Object({
  tasks: Type.Array(taskParts, { maxItems: limits.stageTasksMax }),
  rules: Type.Array(Type.Object({ rule: text(50), why: text(300) }), { maxItems: 10 }),
})
export type StageLayout = Static<typeof stageLayout>

const stageSpec = Type.Object({
  name: text(100),
  input: stageInput,
  /** Inputs of further branches of the stage. Its tasks are those of `input`, followed by those of each of these. */
  more: Type.Optional(Type.Array(stageInput, { maxItems: limits.jobStagesMax - 1 })),
  /** Earlier stages of one partition, whose output every task of this one reads. */
  broadcasts: Type.Optional(Type.Array(count, { maxItems: limits.jobStagesMax })),
  output: taskOutput,
  /** Set only for a stage of one branch that reads a shuffle or a join. */
  adapt: Type.Optional(adapt),
  /** Slots of one datanode that each of its tasks takes; default: 1. */
  cpu: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.taskSlotsMax })),
  /** Memory of each of its tasks; default: that of the job. */
  memoryBytes: Type.Optional(count),
})
export type StageSpec = Static<typeof stageSpec>

/** Inputs of all branches of a stage. */
export const inputsOf = ({ input, more }: Pick<StageSpec, 'input' | 'more'>): readonly StageInput[] => (more ? [input, ...more] : [input])

/** Earlier stages whose output the tasks of a stage read, each once. */
export function sourcesOf(stage: Pick<StageSpec, 'input' | 'more' | 'broadcasts'>): number[] {
  const stages = new Set<number>(stage.broadcasts)
  for (const input of inputsOf(stage)) {
    if (input.kind === 'shuffle' || input.kind === 'output') stages.add(input.stage)
    else if (input.kind === 'join') for (const side of input.stages) stages.add(side)
  }
  return [...stages]
}

/** Number of the stage that writes the output: the last one, or the one before the check of the output. */
export const outputStage = (stages: ReadonlyArray<Pick<StageSpec, 'output'>>): number =>
  stages.length - (stages.at(-1)?.output.kind === 'check' ? 2 : 1)

/** Files that one path or pattern named as input has led to. */
const inputPin = Type.Object({
  path,
  files: count,
  bytes: count,
  /** SHA-256 over inode, length, modification time and path of each file, in order. */
  digest: text(64),
  /** Outputs of jobs among them, by the version that was read. */
  outputs: Type.Optional(Type.Array(Type.Object({ path, id: inodeId, version: count }), { maxItems: 100 })),
  /** The files themselves, if they are few. */
  list: Type.Optional(Type.Array(Type.Object({ path, id: inodeId, length: count, mtimeMs: instant }), { maxItems: 1000 })),
  /** The input as the program or the run names it, if a rerun has read it elsewhere. */
  named: Type.Optional(path),
  /** Place outside of the cluster that was copied there, as lineage names it. */
  outside: Type.Optional(path),
  /** Earlier steps of the same run had published it. */
  own: Type.Optional(Type.Literal(true)),
})
export type InputPin = Static<typeof inputPin>

/** Inputs and options of a job, as its submitter has found them; kept with the version that the job publishes. */
export const origin = Type.Object({
  /** SHA-256 of program, parameters, options and pins: jobs of one key compute the same. */
  key: text(64),
  pins: Type.Array(inputPin, { maxItems: limits.inputPinsMax }),
  /** The run of a program over Datasets to which the job belongs; `pins` has the inputs of the steps whose results it depends on, too. */
  run: Type.Optional(Type.Object({
    id: text(64),
    step: count,
    /** Time at which the program was started: `mill.now`. */
    nowMs: instant,
    /** What other steps have read so far, for a rerun of the program. */
    others: Type.Optional(Type.Array(inputPin, { maxItems: limits.inputPinsMax })),
    /** Inputs that did not exist when a step named them, whose failure the program has handled. */
    absent: Type.Optional(Type.Array(path, { maxItems: limits.inputPinsMax })),
  })),
  /** Paths that the run was said to depend on beside its inputs, when it began (datasets of a workflow). */
  needs: Type.Optional(Type.Array(inputPin, { maxItems: limits.inputPinsMax })),
  /** Options of the run that a rerun repeats. */
  options: Type.Record(Type.String({ maxLength: 100 }), Type.Union([Type.String({ maxLength: 1000 }), Type.Number(), Type.Boolean()])),
})
export type Origin = Static<typeof origin>

const jobSpec = Type.Object({
  name: text(200),
  program: Type.Object({ id: programId, path }),
  params: Type.Record(Type.String(), Type.Unknown()),
  /** Environment variables of its tasks. */
  env: Type.Optional(environment),
  /** Seed of the program's randomness; the same for all attempts. */
  seed: count,
  fingerprint: text(64),
  /** Missing if the plan is the one that submitters of earlier versions make. */
  plan: Type.Optional(planChoices),
  /** Set for steps of programs over Datasets; not sent by clients of earlier versions. */
  driver: Type.Optional(driver),
  /** The job that follows a schedule and has submitted this one, which ends with it. */
  parent: Type.Optional(jobId),
  stages: Type.Array(stageSpec, { minItems: 1, maxItems: limits.jobStagesMax }),
  /**
   * Directory in which the last stage's files are published. EEXIST unless `overwrite`, which replaces the output of a job in the
   * same transaction; ENOTEMPTY if the directory is no job output, unless also `force`. `result`: the files are returned to the program
   * of the driver: they stay in the job's staging until `job.drop`, or limits.resultKeepMs after the last step of the driver. The path is
   * then a name below `resultsDirectory`, which is never made. `ifVersion`: ESTALE, with `path` and `version` in its details, unless the
   * newest version of the output has this number, when the job is submitted and when it publishes; 0: no job has published the path.
   */
  output: Type.Object({
    path, overwrite: Type.Boolean(), force: Type.Optional(Type.Boolean()), format: outputFormat, result: Type.Optional(Type.Boolean()),
    ifVersion: Type.Optional(count),
  }),
  /** Files and directories named as input: the output must not be inside them, nor contain them. */
  inputs: Type.Optional(Type.Array(path, { maxItems: 10_000 })),
  /** Patterns named as input. */
  patterns: Type.Optional(Type.Array(path, { maxItems: 10_000 })),
  /** Not sent by earlier versions. */
  origin: Type.Optional(origin),
  /** Attempts of one task before the job fails. */
  attemptsMax: Type.Integer({ minimum: 1, maximum: 100 }),
  /** Queue by which it gets slots; default: `default`. */
  queue: Type.Optional(text(queueNameMax)),
  /** Jobs of its queue with a lower one wait for it; default: 0. */
  priority: Type.Optional(priority),
  /** Memory of one executor, which is a limit; 0: the datanode's default, which a task that has used it up may exceed. */
  memoryBytes: count,
  /** Time limit of one attempt; 0: none. */
  taskDeadlineMs: count,
  /** Slots of each task that the run was given in place of those of the program, for the record; the stages have them. */
  cpu: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.taskSlotsMax })),
})
export type JobSpec = Static<typeof jobSpec>

/** Paths of outputs that are results of steps; they name nothing. */
export const resultsDirectory = `${systemDirectory}/results`

/** Throws TOO_LARGE. Called by the client before it sends anything, and by the namenode before the job starts. */
export function checkParams(params: JobSpec['params']): void {
  const bytes = Buffer.byteLength(JSON.stringify(params))
  if (bytes <= limits.jobParamsBytesMax) return
  throw new GristmillError(
    'TOO_LARGE',
    `the job's parameters have ${bytes} bytes as JSON and may have ${limits.jobParamsBytesMax}, since they are sent with every task; store large values in a file, and give it as input or as an asset of the program`,
  )
}

const readsJobs = { callers: 'user', unaudited: 'it reads the state of jobs, no names or data' } as const

/**
 * A page of the splits of a job to be submitted, for jobs whose splits do not fit into one message. Pages are sent in order, from
 * 0 on, under an id that the sender chooses. ESTALE: the previous pages are gone (after limits.splitsKeptMs, or a restart of the
 * namenode); start again under another id.
 */
export const splits = message('job.splits', {
  callers: 'user', unaudited: 'a step of job.submit',
  mutation: true, paths: 'unchecked', bodyBytesMax: limits.splitsBodyBytesMax,
  /** `output`: that of the job to be submitted. */
  request: Type.Object({
    requestId, id: splitsId, page: count, output: path,
    splits: Type.Array(text(limits.splitsBodyBytesMax), { minItems: 1, maxItems: limits.stageTasksMax }),
  }),
  reply: empty,
})

/** Inputs of a job that the audit log names. */
const auditedInputsMax = 100

export const submit = message('job.submit', {
  callers: 'user',
  audit: ({ spec }, reply) => ({
    job: reply?.job, name: spec.name, inputs: (spec.patterns ?? spec.inputs)?.slice(0, auditedInputsMax), output: spec.output.path,
  }),
  mutation: true, paths: 'unchecked',
  bodyBytesMax: limits.jobBodyBytesMax,
  request: Type.Object({ requestId, spec: jobSpec }),
  reply: Type.Object({ job: jobId }),
})

/** ESTALE of pages of splits that are gone, which are sent again; not that of an output which has another version. */
export const isSplitsLost = (error: unknown): boolean => hasCode(error, 'ESTALE') && !isOutputChanged(error)

/** The output of a job that was submitted with `ifVersion` has another version. */
export const isOutputChanged = (error: unknown, path?: string): boolean =>
  hasCode(error, 'ESTALE') && error.details.version !== undefined && (path === undefined || error.details.path === path)

const jobState = Type.Union([
  Type.Literal('running'), Type.Literal('publishing'), Type.Literal('succeeded'), Type.Literal('failed'), Type.Literal('cancelled'),
])
export type JobState = Static<typeof jobState>

const stageStatus = Type.Object({
  name: text(100),
  /** `waiting`: for an earlier stage. */
  state: Type.Union([Type.Literal('waiting'), Type.Literal('running'), Type.Literal('done'), Type.Literal('failed')]),
  tasks: count,
  running: count,
  done: count,
  failedAttempts: count,
  /** 0 to 1, including the progress of running attempts. */
  fraction: Type.Number(),
  startedMs: Type.Optional(instant),
  finishedMs: Type.Optional(instant),
  counters,
  /** Earlier stages whose output its tasks read. Not sent by namenodes of earlier versions. */
  sources: Type.Optional(Type.Array(count, { maxItems: limits.jobStagesMax })),
  /** Rules that have rewritten the stage when the sizes of its input were known, and why. */
  adapted: Type.Optional(Type.Array(Type.Object({ rule: text(50), why: text(300) }), { maxItems: 10 })),
  /** The task whose attempt was lost last, if it was lost more than once and is tried again. */
  lost: Type.Optional(Type.Object({ task: count, times: count, failure })),
})
export type StageStatus = Static<typeof stageStatus>

const jobStatus = Type.Object({
  job: jobId,
  name: text(200),
  user: text(255),
  state: jobState,
  /** Increases with each change; a watcher passes the last version it saw. */
  version: count,
  output: path,
  /** Run of a program over Datasets to which the job belongs, its step in it, and the method that has asked for it. */
  driver: Type.Optional(Type.Object({ id: text(64), step: count, method: text(50) })),
  /** The job that follows a schedule and has submitted this one. */
  parent: Type.Optional(jobId),
  /** Missing for a job that was submitted to none. */
  queue: Type.Optional(text(queueNameMax)),
  /** Missing for a job that was submitted without one. */
  priority: Type.Optional(priority),
  /** Reason for which no task of it runs although tasks could, or a step that it drives is not taken: a line that begins with "for". */
  waits: Type.Optional(text(300)),
  submittedMs: instant,
  finishedMs: Type.Optional(instant),
  failure: Type.Optional(failure),
  /** The computed output that could not be published; kept until then, for `job.publish`. */
  kept: Type.Optional(Type.Object({
    untilMs: instant,
    /** Bytes of its files; missing in outputs kept by an earlier version. */
    bytes: Type.Optional(count),
    format: Type.Optional(outputFormat),
    /** The check of the output has refused it, or has failed: it is published only by a request that says so. */
    unchecked: Type.Optional(Type.Literal(true)),
    /** Number of patterns among its inputs: to publish elsewhere, a client fetches them with `job.patterns`. */
    patternCount: Type.Optional(count),
    /** The patterns themselves, sent by namenodes of earlier versions. */
    patterns: Type.Optional(Type.Array(path, { maxItems: 10_000 })),
  })),
  stages: Type.Array(stageStatus),
  /** Sum over committed attempts of all stages. */
  counters,
})
export type JobStatus = Static<typeof jobStatus>

const attemptStatus = Type.Object({
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

/** The status now, or as soon as its version exceeds `after`; after limits.longPollMs the same version again. */
export const watch = message('job.watch', {
  ...readsJobs,
  waits: true,
  request: Type.Object({ job: jobId, after: Type.Optional(count) }),
  reply: jobStatus,
})

/** Newest first, starting after job `before`. A page may be short; `next` is missing on the last one. */
export const jobs = message('job.list', {
  ...readsJobs,
  request: Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })), before: Type.Optional(jobId) }),
  reply: Type.Object({ jobs: Type.Array(jobStatus), next: Type.Optional(jobId) }),
})

const queueStatus = Type.Object({
  name: text(queueNameMax),
  weight: count,
  /** Tasks that may run at a time. */
  slotsMax: Type.Optional(count),
  /** Jobs that have not ended. */
  jobs: count,
  /** Tasks that run. */
  running: count,
  /** Tasks that could run and wait for a slot. */
  waiting: count,
})
export type QueueStatus = Static<typeof queueStatus>

const queueList = Type.Object({ queues: Type.Array(queueStatus), slots: count })
export type QueueList = Static<typeof queueList>

/** The queues in the order of their names, with the slots of all datanodes that are live and in service. */
export const queues = message('job.queues', {
  ...readsJobs,
  request: empty,
  reply: queueList,
})

/** Tasks of a job with their attempts, page by page, in (stage, task) order. */
export const tasks = message('job.tasks', {
  ...readsJobs,
  request: Type.Object({
    job: jobId, stage: Type.Optional(count), from: Type.Optional(count),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  }),
  reply: Type.Object({ tasks: Type.Array(taskStatus), next: Type.Optional(count) }),
})

/** Cancels a job; its output is not published. Killing an ended job is no error. */
export const kill = message('job.kill', {
  callers: 'user',
  audit: ({ job }) => ({ job }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, job: jobId }),
  reply: jobStatus,
})

/**
 * Publishes the kept output of a job. The conditions on the output are those of `submit`. EINVAL for an output that its check has refused,
 * unless `despiteCheck`.
 */
export const publish = message('job.publish', {
  callers: 'user',
  audit: ({ job, output, despiteCheck }) => ({ job, output: output.path, despiteCheck }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({
    requestId, job: jobId, despiteCheck: Type.Optional(Type.Boolean()),
    output: Type.Object({ path, overwrite: Type.Optional(Type.Boolean()), force: Type.Optional(Type.Boolean()) }),
  }),
  reply: jobStatus,
})

/**
 * Patterns among the inputs of a job with a kept output: to publish it, a client checks that the output does not overlap their
 * matches. For the job's owner and the superuser; up to limits.jobBodyBytesMax in total. EINVAL if nothing is kept.
 */
export const patterns = message('job.patterns', {
  ...readsJobs,
  request: Type.Object({ job: jobId }),
  reply: Type.Object({ patterns: Type.Array(path, { maxItems: 10_000 }) }),
})

/** Deletes the kept output of a job permanently. EINVAL if nothing is kept. */
export const drop = message('job.drop', {
  callers: 'user',
  audit: ({ job }) => ({ job }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, job: jobId }),
  reply: jobStatus,
})

/**
 * Nodes that hold logs of a job's attempts, in (stage, task) order, starting at task `from`, counted as in `job.tasks`. A page may
 * be short; `next` is missing on the last one. Without `from`, as sent by clients of earlier versions: all, or TOO_LARGE if they
 * do not fit into one page.
 */
export const logPlaces = message('job.logs', {
  ...readsJobs,
  request: Type.Object({ job: jobId, from: Type.Optional(count) }),
  reply: Type.Object({
    attempts: Type.Array(Type.Object({
      attempt: attemptId, node: nodeId, address, alive: Type.Boolean(),
      /** The program ran and has ended: its node must have a log. Not sent by namenodes of earlier versions. */
      ended: Type.Optional(Type.Boolean()),
    })),
    next: Type.Optional(count),
  }),
})

