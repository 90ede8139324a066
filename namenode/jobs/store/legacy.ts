// Operations in journals of earlier versions. They were accepted then and must be accepted again in a replay. No caller
// submits them; mutations.ts has their successors.

import { GristmillError } from '../../../src/base/errors.ts'
import { inodeId, type JobId, type RequestId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import { parentOf } from '../../../src/base/paths.ts'
import type { JobSpec, JobStatus } from '../../../src/protocol/job.ts'
import type { Draft } from '../../journal/draft.ts'
import { childKey } from '../../journal/keys.ts'
import { mutation, type Actor, type AnyMutation } from '../../journal/operation.ts'
import type { View } from '../../journal/view.ts'
import { checkMay, checkNotSystem, checkSticky, maySearch, mayWrite } from '../../namespace/access.ts'
import { fileMode } from '../../namespace/inherit.ts'
import { placeAt, type NamePlace } from '../../namespace/resolve.ts'
import { addFile, detach, makeDirectories, move } from '../../namespace/tree.ts'
import { beginJob, endJob, runningJob } from './mutations.ts'
import { specOf } from './rows.ts'
import { outputName, stagingOf } from '../publish/staging.ts'

/** Checked the output's own directory only, and made no reservation. */
const submit = mutation<{ requestId: RequestId; actor: Actor; spec: JobSpec; nowMs: number }, JobId>({
  kind: 'job.submit',
  mutate(draft, { actor, spec, nowMs }) {
    checkOutput(draft, actor, spec.output)
    return beginJob(draft, { actor, spec, nowMs })
  },
})

/** Deleted a replaced output, with its attributes and quota. */
const publish = mutation<{ job: JobId; status: JobStatus; nowMs: number }, undefined>({
  kind: 'job.publish',
  mutate(draft, { job, status, nowMs }) {
    const { number, head } = runningJob(draft, job)
    publishOutput(draft, { job, actor: { user: head.user, root: head.root }, output: specOf(draft, number)!.output, nowMs })
    endJob(draft, number, head, status)
    return undefined
  },
})

function checkOutput(view: View, actor: Actor, output: JobSpec['output']): void {
  checkNotSystem(output.path, 'write a job\'s output to')
  let place: NamePlace
  try {
    place = placeAt(view, actor, output.path)
  } catch (error) {
    if (error instanceof GristmillError && error.code === 'ENOENT') return
    throw error
  }
  checkPlace(actor, place, output)
}

function checkPlace(actor: Actor, { path, parent, entry }: NamePlace, { overwrite }: JobSpec['output']): void {
  checkMay(actor, parent.entry, mayWrite, parent.path)
  if (!entry) return
  if (!overwrite) throw new GristmillError('EEXIST', `the output ${path} exists already`, { details: { path } })
  if (!entry.directory) throw new GristmillError('ENOTDIR', `the output ${path} is a file`, { details: { path } })
  checkSticky(actor, parent.entry, entry, path)
  checkMay(actor, entry, mayWrite, path)
  checkMay(actor, entry, maySearch, path)
}

function publishOutput(
  draft: Draft,
  { job, actor, output, nowMs }: { job: JobId; actor: Actor; output: JobSpec['output']; nowMs: number },
): void {
  checkNotSystem(output.path, "write a job's output to")
  const { adder } = makeDirectories(draft, actor, parentOf(output.path), { nowMs, asked: output.path })
  const place = placeAt(draft, adder, output.path)
  checkPlace(adder, place, output)
  const { parent, name, path } = place
  if (draft.has('writers', childKey(parent.entry.id, name)))
    throw new GristmillError('EBUSY', `a writer holds the path ${path}; wait for its end`, { details: { path } })
  if (place.entry) detach(draft, parent.entry.id, name, place.entry)
  const { own, output: made } = stagingOf(draft, job)
  addFile(draft, made.id, '_SUCCESS', {
    id: inodeId(draft.take('nextInode')), directory: false, mode: fileMode, owner: actor.user, group: parent.entry.group,
    mtimeMs: Math.floor(nowMs), replication: 1, blockBytes: limits.blockBytesDefault, format: 'bytes', length: 0, blocks: 0,
  })
  move(
    draft, { parent: own.id, name: outputName }, { parent: parent.entry.id, name },
    { ...made, group: parent.entry.group, mtimeMs: Math.floor(nowMs) },
  )
}

export const formerJobMutations: readonly AnyMutation[] = [submit, publish]
