// Where a job's output is before anybody can see it, and how it comes to be seen. Below `/.gristmill/jobs/<job>`, which
// belongs to the job's user, each attempt writes into a directory of its own; the commit of a task moves its files into
// `output`; publishing gives that directory its name. So publishing is one rename, however many parts there are, and what
// a losing attempt wrote is never in the way.

import { assert } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { attemptParts, inodeId, jobId, type AttemptId, type JobId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { join, parentOf } from '../../src/base/paths.ts'
import type { JobSpec } from '../../src/protocol/job.ts'
import type { OutputFile } from '../../src/protocol/task.ts'
import type { Draft } from '../journal/draft.ts'
import { childKey, idKey, nameOfKey } from '../journal/keys.ts'
import type { Actor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { checkMay, checkNotSystem, checkSticky, maySearch, mayWrite } from '../namespace/access.ts'
import type { Entry } from '../namespace/entry.ts'
import { stagingDirectory } from '../namespace/format.ts'
import { directoryMode, fileMode } from '../namespace/names.ts'
import { child, directoryAt, placeAt, type Place } from '../namespace/resolve.ts'
import { addDirectory, addFile, detach, makeDirectories, move } from '../namespace/tree.ts'

const system: Actor = { user: 'gristmill', root: true }
const outputName = 'output'

const stagingId = (view: View) => directoryAt(view, system, stagingDirectory).entry.id

/** Throws what publishing would throw, as far as can be known before the job has run. */
export function checkOutput(view: View, actor: Actor, output: JobSpec['output']): void {
  checkNotSystem(output.path, 'write a job\'s output to')
  let place: Place
  try {
    place = placeAt(view, actor, output.path)
  } catch (error) {
    // Directories above it will be made.
    if (error instanceof GristmillError && error.code === 'ENOENT') return
    throw error
  }
  checkPlace(actor, place, output)
}

function checkPlace(actor: Actor, { path, parent, entry }: Place, { overwrite }: JobSpec['output']): void {
  checkMay(actor, parent.entry, mayWrite, parent.path)
  if (!entry) return
  if (!overwrite) throw new GristmillError('EEXIST', `the output ${path} exists already; remove it, name another, or say overwrite (--overwrite)`, { details: { path } })
  if (!entry.directory) throw new GristmillError('ENOTDIR', `the output ${path} is a file; only a directory is replaced by a job's output`, { details: { path } })
  checkSticky(actor, parent.entry, entry, path)
  checkMay(actor, entry, mayWrite, path)
  checkMay(actor, entry, maySearch, path)
}

export function openStaging(draft: Draft, job: JobId, user: string, nowMs: number): void {
  const own = addDirectory(draft, stagingId(draft), job, { owner: user, group: user, mode: 0o700, nowMs })
  addDirectory(draft, own.id, outputName, { owner: user, group: user, mode: directoryMode, nowMs })
}

/** The files of an attempt become the job's. Throws if one of them is not there as it was reported. */
export function takeFiles(draft: Draft, job: JobId, attempt: AttemptId, files: readonly OutputFile[]): void {
  const { own, output } = stagingOf(draft, job)
  const from = child(draft, own.id, attempt)
  for (const { name, inode, length } of files) {
    const entry = from?.directory ? child(draft, from.id, name) : undefined
    if (!from || entry?.id !== inode || entry.length !== length) {
      throw new GristmillError('CORRUPT', `attempt ${attempt} reported a file ${name} of ${length} bytes, and it is not among what it stored`, { details: { attempt, name } })
    }
    if (child(draft, output.id, name)) throw new GristmillError('EEXIST', `task ${attemptParts(attempt).task} wrote a file ${name}, which another task has written already`, { details: { attempt, name } })
    move(draft, { parent: from.id, name }, { parent: output.id, name }, entry)
  }
}

/** The output takes its place, whole. What was there goes in the same moment, if it may. */
export function publishOutput(draft: Draft, { job, actor, output, nowMs }: { job: JobId; actor: Actor; output: JobSpec['output']; nowMs: number }): void {
  checkNotSystem(output.path, 'write a job\'s output to')
  makeDirectories(draft, actor, parentOf(output.path), { mode: directoryMode, nowMs, asked: output.path })
  const place = placeAt(draft, actor, output.path)
  checkPlace(actor, place, output)
  const { parent, name, path } = place
  if (draft.has('writers', childKey(parent.entry.id, name))) throw new GristmillError('EBUSY', `the output ${path} cannot be published: somebody is writing a file of this name`, { details: { path } })
  if (place.entry) detach(draft, parent.entry.id, name, place.entry)
  const staged = stagingOf(draft, job)
  const success: Entry = {
    id: inodeId(draft.take('nextInode')), directory: false, mode: fileMode, owner: actor.user, group: parent.entry.group, mtimeMs: Math.floor(nowMs),
    replication: 1, blockBytes: limits.blockBytesDefault, format: 'bytes', length: 0, blocks: 0,
  }
  addFile(draft, staged.output.id, '_SUCCESS', success)
  move(draft, { parent: staged.own.id, name: outputName }, { parent: parent.entry.id, name }, { ...staged.output, group: parent.entry.group, mtimeMs: Math.floor(nowMs) })
}

/** What is left of a job's staging goes. Nothing left is fine. */
export function dropStaging(draft: Draft, job: JobId): void {
  const parent = stagingId(draft)
  const own = child(draft, parent, job)
  if (own) detach(draft, parent, job, own)
}

/** The names of all staging there is: of running jobs, and of whoever made one there. */
export function* staged(view: View): Iterable<JobId> {
  const parent = stagingId(view)
  for (const { key } of view.range('children', { start: childKey(parent, ''), end: idKey(parent + 1) })) yield jobId(nameOfKey(key))
}

function stagingOf(view: View, job: JobId): { own: Entry; output: Entry } {
  const own = child(view, stagingId(view), job)
  const output = own && child(view, own.id, outputName)
  if (!own || !output?.directory) throw new GristmillError('ENOENT', `the staging of ${job}, ${join(stagingDirectory, job)}, has been removed by somebody; what the job has stored is lost`, { details: { job } })
  assert(own.directory, 'staging is a directory')
  return { own, output }
}
