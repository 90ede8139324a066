// One attempt of a task: the work that a datanode gets, and its reports. Only a report means success, never an exit code; the first
// report of a task that the namenode commits wins.

import Type, { type Static } from './schema.ts'
import {
  badRecordsModes, inputFormats, invalidUtf8Modes, largeIntegersModes, outputFormats, textEncodings, type InputOptions,
} from '../base/formats.ts'
import { limits } from '../base/limits.ts'
import {
  address, attemptId, blockId, count, counters, delimiter, failure, inodeId, instant, jobId, name, nodeId, nodePlace, path, programId, text,
} from './fields.ts'
import { message, oneOf } from './message.ts'

/** Format of a job's output files. `text`: `key<TAB>value`, or the value alone without a key. */
export const outputFormat = oneOf(outputFormats)

/** Format of input files. `whole`: one record per file. */
const inputFormat = oneOf(inputFormats)

/** A range of one file that one task owns: the records that start in [start, end). */
const splitRange = Type.Object({
  path,
  inode: inodeId,
  /** Length of the whole file. */
  fileBytes: count,
  start: count,
  end: count,
  /** Both ends are record boundaries: no byte outside of the range is needed. */
  aligned: Type.Boolean(),
  /** csv: field separator of this file, if the options do not set it: the stored one, or the one detected from its first rows. */
  delimiter: Type.Optional(delimiter),
  /** The blocks that overlap the range. */
  blocks: Type.Array(Type.Object({ id: blockId, offset: count, length: count, crc: count })),
})
export type SplitRange = Static<typeof splitRange>

export const split = Type.Object({ ranges: Type.Array(splitRange), bytes: count })
export type Split = Static<typeof split>

export const inputOptions = Type.Unsafe<InputOptions>(Type.Object({
  format: inputFormat,
  delimiter: Type.Optional(delimiter),
  header: Type.Optional(Type.Boolean()),
  encoding: Type.Optional(oneOf(textEncodings)),
  invalidUtf8: Type.Optional(oneOf(invalidUtf8Modes)),
  badRecords: Type.Optional(oneOf(badRecordsModes)),
  largeIntegers: Type.Optional(oneOf(largeIntegersModes)),
  bytes: Type.Optional(Type.Boolean()),
} satisfies Record<keyof InputOptions, unknown>))

export const taskOutput = Type.Union([
  Type.Object({ kind: Type.Literal('shuffle'), partitions: count }),
  Type.Object({ kind: Type.Literal('files'), format: outputFormat, replication: Type.Optional(count), blockBytes: Type.Optional(count) }),
  /** Nothing: the task checks the output of the job. */
  Type.Object({ kind: Type.Literal('check') }),
])
export type TaskOutput = Static<typeof taskOutput>

/** Step of a program that runs several jobs, and what its executors need to reach its functions. */
export const driver = Type.Object({
  /** The run of the program to which the job belongs. */
  id: text(64),
  /** From 1 on; 0: the job that drives the program (`isDrive`). */
  step: count,
  /** Method of the program that has asked for the step. */
  method: text(50),
  /** Time at which the program was started: `mill.now`. */
  nowMs: instant,
  /** Times that the program has read before it asked for the step (src/plan/programsources.ts). */
  clock: Type.Optional(text(limits.programClockCharsMax)),
  /** Outline of the plan, for messages. */
  outline: text(4_000),
  /** Results of earlier steps (src/plan/history.ts). */
  history: Type.Array(text(limits.historyBytesMax), { maxItems: limits.programStepsMax }),
})
export type Driver = Static<typeof driver>

/** Method of a job whose one task drives a program from within the cluster. The steps of the program are jobs with the same run. */
export const driveMethod = 'drive'
const detachedPrefix = 'drive-'

export const isDrive = ({ driver: of }: { readonly driver?: Pick<Driver, 'method'> | undefined }): boolean => of?.method === driveMethod

/** Run of a program that a job of the cluster drives. */
export const detachedRun = (id: string): string => `${detachedPrefix}${id}`

/** Run of a workflow whose schedule a job of the cluster follows. */
export const scheduleRun = (id: string): string => detachedRun(`schedule-${id}`)

/** True for a job that follows the schedule of a workflow, in place of driving a program. */
export const isSchedule = ({ driver: of }: { readonly driver?: Pick<Driver, 'id' | 'method'> | undefined }): boolean =>
  of?.method === driveMethod && of.id.startsWith(scheduleRun(''))

/** True for a job that is a step of a program which a job of the cluster drives: it ends with that job. */
export const isDetachedStep = ({ driver: of }: { readonly driver?: Pick<Driver, 'id' | 'method'> | undefined }): boolean =>
  of !== undefined && of.method !== driveMethod && of.id.startsWith(detachedPrefix)

/** Names and values; the submitter checks their sum against limits.environmentBytesMax. */
export const environment = Type.Record(Type.String(), text(limits.environmentBytesMax))

/** The submitter's choices beside the program (src/plan/choices.ts). */
export const planChoices = Type.Object({
  rules: Type.Optional(Type.Array(text(100), { maxItems: 100 })),
  broadcasts: Type.Optional(Type.Array(
    Type.Object({ join: count, side: Type.Union([Type.Literal('left'), Type.Literal('right')]) }), { maxItems: limits.jobStagesMax },
  )),
})

/**
 * What one task of a rewritten stage reads: ranges of partitions, in order, each from a number up to another one. `slice`: of one of the
 * stages, counted in the order of its inputs, only the map outputs of these tasks; of the others all. `table`: the values of the other
 * stage are looked up.
 */
export const taskParts = Type.Object({
  ranges: Type.Array(Type.Tuple([count, count]), { maxItems: limits.adaptedPartitionsMax }),
  slice: Type.Optional(Type.Object({ side: count, from: count, to: count })),
  table: Type.Optional(Type.Literal(true)),
})
export type TaskParts = Static<typeof taskParts>

export const taskWork = Type.Object({
  attempt: attemptId,
  job: jobId,
  stage: count,
  task: count,
  user: text(255),
  program: Type.Object({ id: programId, path }),
  params: Type.Record(Type.String(), Type.Unknown()),
  env: Type.Optional(environment),
  seed: count,
  /** Submission time of the job. */
  submittedMs: Type.Optional(instant),
  /**
   * For a job that follows a schedule: the time for which this attempt builds, that of its submission for the first one. The attempt ends
   * with the outcome `later`; it waits itself if this is missing, from a namenode of an earlier version.
   */
  dueMs: Type.Optional(instant),
  /** With `dueMs`: the wall clock of the namenode, by which schedules go, when it sent this. Missing: from one of an earlier version. */
  nowMs: Type.Optional(instant),
  /** Set for steps of programs over Datasets. */
  driver: Type.Optional(driver),
  /** Fingerprint of the plan that the submitter built; the executor builds the plan again and refuses to run another one. */
  fingerprint: text(64),
  /** Default: the plan as submitters of earlier versions make it. */
  plan: Type.Optional(planChoices),
  input: Type.Union([
    Type.Object({
      kind: Type.Literal('split'),
      /** Number of the task in its branch; default: `task`. */
      part: Type.Optional(count),
      split,
      options: inputOptions,
      /** Locations of each block of the split, nearest to this node first, by block id. */
      places: Type.Array(Type.Object({ block: blockId, nodes: Type.Array(nodePlace), token: text(300) })),
    }),
    /** A partition of the output of stage `stage`; `task.outputs` returns the map outputs. Default: partition `task`. */
    Type.Object({ kind: Type.Literal('shuffle'), stage: count, partition: Type.Optional(count) }),
    /** The same partition of the outputs of several stages. */
    Type.Object({ kind: Type.Literal('join'), stages: Type.Array(count, { maxItems: limits.jobStagesMax }), partition: count }),
    /** Several partitions of one stage or of two that are joined, one after the other. */
    Type.Object({
      kind: Type.Literal('parts'), stages: Type.Array(count, { minItems: 1, maxItems: limits.jobStagesMax }), parts: taskParts,
    }),
    /** Part `part` of values that the program computes. */
    Type.Object({ kind: Type.Literal('values'), part: count, parts: count }),
    /** The files that the job will publish at `path`, with `rows` records. */
    Type.Object({ kind: Type.Literal('output'), path, rows: count }),
  ]),
  /** Branch of the stage to which the task belongs; default: the only one. */
  branch: Type.Optional(count),
  /** Stages of one partition, whose output the task reads as well. */
  broadcasts: Type.Optional(Type.Array(count, { maxItems: limits.jobStagesMax })),
  output: taskOutput,
  /** The report has the bytes of each partition of the map output. */
  sizes: Type.Optional(Type.Boolean()),
  /** Directory of output files: `<staging>/<attempt>/…`. */
  staging: path,
  memoryBytes: count,
  /** Milliseconds after which the attempt is killed; 0: never. */
  deadlineMs: count,
})
export type TaskWork = Static<typeof taskWork>

/** A file that an attempt has completed under its staging directory. */
const outputFile = Type.Object({ name, inode: inodeId, length: count, crc: count })
export type OutputFile = Static<typeof outputFile>

export const finished = message('task.finished', {
  callers: 'node',
  bodyBytesMax: limits.reportBodyBytesMax,
  request: Type.Object({
    node: nodeId,
    attempt: attemptId,
    outcome: Type.Union([
      Type.Object({
        kind: Type.Literal('done'),
        counters,
        /** `shuffle`: total bytes, and a digest over the partitions' checksums. */
        output: Type.Union([
          Type.Object({
            kind: Type.Literal('shuffle'), bytes: count, digest: text(64),
            /** Bytes of each partition (src/shuffle/sizes.ts), if the work asks for them. */
            sizes: Type.Optional(text(limits.adaptedPartitionsMax * 12)),
          }),
          Type.Object({ kind: Type.Literal('files'), files: Type.Array(outputFile, { maxItems: 1000 }) }),
          Type.Object({ kind: Type.Literal('check') }),
        ]),
      }),
      Type.Object({
        /** The task of a schedule has done what was due, and runs again at this time of the namenode; only for work with `dueMs`. */
        kind: Type.Literal('later'), atMs: instant,
        /** That clock, as the task knows it, when it reports. Missing: from a datanode of an earlier version. */
        nowMs: Type.Optional(instant),
        counters,
      }),
      Type.Object({
        kind: Type.Literal('failed'),
        /**
         * `program`: the user's code; `fetch`: a map output could not be read; `system`: gristmill or its environment; `killed`:
         * as ordered.
         */
        cause: Type.Union([Type.Literal('program'), Type.Literal('fetch'), Type.Literal('system'), Type.Literal('killed')]),
        failure,
        /** For `fetch`: the map attempts that could not be read. */
        missing: Type.Optional(Type.Array(attemptId, { maxItems: 1000 })),
        /** The process has used more memory than the attempt was given. Not sent by earlier versions. */
        outOfMemory: Type.Optional(Type.Literal(true)),
        /** Each other attempt would fail with the same error. Not sent by earlier versions. */
        isFinal: Type.Optional(Type.Literal(true)),
        counters,
      }),
    ]),
  }),
  /** False: another attempt won, or the job is over; the output of this one is garbage. */
  reply: Type.Object({ committed: Type.Boolean() }),
})
export type TaskFinished = Static<typeof finished.request>

/** Progress of running attempts. The reply names attempts to kill. */
export const progress = message('task.progress', {
  callers: 'node',
  bodyBytesMax: limits.reportBodyBytesMax,
  request: Type.Object({
    node: nodeId,
    session: count,
    attempts: Type.Array(Type.Object({ attempt: attemptId, counters, fraction: Type.Number() }), { maxItems: 1000 }),
  }),
  reply: Type.Object({ kill: Type.Array(attemptId) }),
})

/** All committed outputs of a finished shuffle stage, in task order. */
export const outputs = message('task.outputs', {
  callers: 'node',
  request: Type.Object({ job: jobId, stage: count }),
  reply: Type.Object({ outputs: Type.Array(Type.Object({ attempt: attemptId, node: nodeId, address, host: text(255), bytes: count })) }),
})

/**
 * Served by datanodes: a piece of an attempt's log, as text. `next` is missing when the attempt has ended and all was read. `absent`: the
 * attempt neither runs nor waits on the node, which has no log of it; not sent by earlier versions.
 */
export const log = message('task.log', {
  callers: 'user', unaudited: 'datanodes have no audit log',
  request: Type.Object({ attempt: attemptId, offset: count, limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1024 * 1024 })) }),
  reply: Type.Object({ text: text(limits.taskLogBytesMax), next: Type.Optional(count), absent: Type.Optional(Type.Boolean()) }),
})

