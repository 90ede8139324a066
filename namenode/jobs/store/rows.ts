// Rows of jobs in the store (docs/format/jobs.md):
//   jobs        job number (8)                        → head (JobRecord)
//   jobspecs    job number (8)                        → spec, until the job ends
//   jobtasks    job number (8), stage (2), task (4)   → TaskRecord
//   sentsplits  id of uploaded splits                 → SentRecord, until a job takes them over
//   splitpages  the same id, 0, page (4)              → packed splits, as long as the upload or its job
//   joboutputs  job number (8)                        → output path, until the job ends
//   jobparams   job number (8)                        → parameters as JSON, until the job ends
//   joblayouts  job number (8), stage (2)             → LayoutRecord, until the job ends
// Job numbers are ascending and unique: the newest job is never forgotten, and a recovery that may have lost jobs skips their
// numbers.

import { jobId, splitsId, type JobId, type SplitsId } from '../../../src/base/ids.ts'
import type { JobSpec } from '../../../src/protocol/job.ts'
import type { OutputFile } from '../../../src/protocol/task.ts'
import { decodeValue, encodeValue } from '../../journal/codec.ts'
import type { Draft } from '../../journal/draft.ts'
import { idKey, putId, readId, textKey } from '../../journal/keys.ts'
import { lastJob } from '../../succession/recovered.ts'
import type { View } from '../../journal/view.ts'
import type { JobRecord, LayoutRecord, SentRecord, TaskRecord } from './record.ts'

const prefix = 'job-'

export const jobName = (number: number): JobId => jobId(`${prefix}${number}`)

/** undefined if it is not the name of a job. */
export function jobNumber(id: JobId): number | undefined {
  const digits = id.startsWith(prefix) ? id.slice(prefix.length) : ''
  return /^[1-9]\d{0,14}$/.test(digits) ? Number(digits) : undefined
}

function taskKey(number: number, stage: number, task: number): Buffer {
  const key = Buffer.allocUnsafe(14)
  putId(key, number, 0)
  key.writeUInt16BE(stage, 8)
  key.writeUInt32BE(task, 10)
  return key
}

function pageKey(id: SplitsId, page: number): Buffer {
  const key = Buffer.alloc(Buffer.byteLength(id) + 5)
  key.write(id)
  key.writeUInt32BE(page, key.length - 4)
  return key
}

const read = <T>(bytes: Buffer | undefined): T | undefined => bytes && decodeValue<T>(bytes)

export const headOf = (view: View, number: number): JobRecord | undefined => read(view.get('jobs', idKey(number)))
export const specOf = (view: View, number: number): JobSpec | undefined => read(view.get('jobspecs', idKey(number)))
export const taskOf = (view: View, number: number, stage: number, task: number): TaskRecord | undefined =>
  read(view.get('jobtasks', taskKey(number, stage, task)))

/** In order of stage and task. */
export function* tasksOf(view: View, number: number, from = { stage: 0, task: 0 }, limit?: number): Iterable<TaskRecord> {
  const bounds = { start: taskKey(number, from.stage, from.task), end: idKey(number + 1), limit }
  for (const { value } of view.range('jobtasks', bounds)) yield decodeValue(value)
}

/** First task of the stage that writes a job's output. */
export const firstWriter = ({ status, checked }: JobRecord): { stage: number; task: number } =>
  ({ stage: status.stages.length - (checked ? 2 : 1), task: 0 })

/** Output files of a committed task. */
export const filesOf = ({ won }: TaskRecord): readonly OutputFile[] => (won?.output.kind === 'files' ? won.output.files : [])

export function* heads(
  view: View,
  { reverse = false, before }: { reverse?: boolean; before?: number | undefined } = {},
): Iterable<{ number: number; head: JobRecord; bytes: number }> {
  for (const { key, value } of view.range('jobs', { reverse, ...(before !== undefined && { end: idKey(before) }) }))
    yield { number: readId(key), head: decodeValue(value), bytes: value.length }
}

export const nextNumber = (view: View): number => lastJob(view) + 1

export const putHead = (draft: Draft, number: number, head: JobRecord): void => draft.put('jobs', idKey(number), encodeValue(head))
export const putSpec = (draft: Draft, number: number, spec: JobSpec): void => draft.put('jobspecs', idKey(number), encodeValue(spec))
export const dropSpec = (draft: Draft, number: number): void => draft.remove('jobspecs', idKey(number))
export const dropHead = (draft: Draft, number: number): void => draft.remove('jobs', idKey(number))
export const putTask = (draft: Draft, number: number, record: TaskRecord): void =>
  draft.put('jobtasks', taskKey(number, record.stage, record.task), encodeValue(record))
export const dropTask = (draft: Draft, number: number, { stage, task }: { stage: number; task: number }): void =>
  draft.remove('jobtasks', taskKey(number, stage, task))

export const sentOf = (view: View, id: SplitsId): SentRecord | undefined => read(view.get('sentsplits', textKey(id)))
export const pageOf = (view: View, id: SplitsId, page: number): string[] | undefined => read(view.get('splitpages', pageKey(id, page)))
export const putSent = (draft: Draft, id: SplitsId, record: SentRecord): void => draft.put('sentsplits', textKey(id), encodeValue(record))
export const dropSent = (draft: Draft, id: SplitsId): void => draft.remove('sentsplits', textKey(id))
export const putPage = (draft: Draft, id: SplitsId, page: number, splits: readonly string[]): void =>
  draft.put('splitpages', pageKey(id, page), encodeValue(splits))
export const dropPage = (draft: Draft, id: SplitsId, page: number): void => draft.remove('splitpages', pageKey(id, page))

/** Ids of uploaded splits that no job has taken over. */
export function* allSent(view: View): Iterable<SplitsId> {
  for (const { key } of view.range('sentsplits', {})) yield splitsId(key.toString())
}

export const putOutput = (draft: Draft, number: number, path: string): void => draft.put('joboutputs', idKey(number), textKey(path))
export const dropOutput = (draft: Draft, number: number): void => draft.remove('joboutputs', idKey(number))

/** Stored apart because parameters may be large and only tasks need them. */
export const putParams = (draft: Draft, number: number, params: JobSpec['params']): void =>
  draft.put('jobparams', idKey(number), textKey(JSON.stringify(params)))
export const dropParams = (draft: Draft, number: number): void => draft.remove('jobparams', idKey(number))

/** Parameters of a running job. */
export function paramsOf(view: View, number: number): JobSpec['params'] | undefined {
  const text = view.get('jobparams', idKey(number))
  // A namenode of an earlier version stored them in the spec; `job.resume` moves them.
  return text ? JSON.parse(text.toString()) as JobSpec['params'] : specOf(view, number)?.params
}

function layoutKey(number: number, stage: number): Buffer {
  const key = Buffer.allocUnsafe(10)
  putId(key, number, 0)
  key.writeUInt16BE(stage, 8)
  return key
}

export const putLayout = (draft: Draft, number: number, record: LayoutRecord): void =>
  draft.put('joblayouts', layoutKey(number, record.stage), encodeValue(record))

export function* layoutsOf(view: View, number: number): Iterable<LayoutRecord> {
  for (const { value } of view.range('joblayouts', { start: idKey(number), end: idKey(number + 1) })) yield decodeValue(value)
}

export function dropLayouts(draft: Draft, number: number): void {
  for (const { stage } of [...layoutsOf(draft, number)]) draft.remove('joblayouts', layoutKey(number, stage))
}

/** Output paths of running jobs. */
export function* outputs(view: View): Iterable<{ readonly job: JobId; readonly path: string }> {
  for (const { key, value } of view.range('joboutputs', {})) yield { job: jobName(readId(key)), path: value.toString() }
}
