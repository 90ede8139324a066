// Output path of a job: its conditions, checked at submission and again in the publishing transaction, and the publishing itself: one
// rename in one transaction. From submission to end the path is reserved: no other running job may publish there, above or below. A
// replaced output of a job becomes an older version of the new one; any other replaced directory, or each if no versions are kept, goes to
// the trash of the job's user. Mode, owner, group, extended attributes and quota of a replaced directory pass to the output.

import { GristmillError, hasCode } from '../../../src/base/errors.ts'
import { inodeId, type InodeId, type JobId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import { join, nameOf, namesOf, overlap, parentOf } from '../../../src/base/paths.ts'
import { checkApart } from '../../../src/protocol/overlap.ts'
import type { JobSpec } from '../../../src/protocol/job.ts'
import type { Draft } from '../../journal/draft.ts'
import { childKey, idKey, nameOfKey } from '../../journal/keys.ts'
import { systemActor, type Actor } from '../../journal/operation.ts'
import type { View } from '../../journal/view.ts'
import { checkMay, checkNotSystem, checkSticky, maySearch, mayWrite } from '../../namespace/access.ts'
import { copyAttributes } from '../../xattrs/rows.ts'
import { isDirectory, type NameEntry } from '../../namespace/entry.ts'
import { directoryIn, fileIn, fileMode, hasDefaults } from '../../namespace/inherit.ts'
import { checkAsked, child, isShelf, lowestAt, placeAt, type Directory, type NamePlace } from '../../namespace/resolve.ts'
import { addFile, checkNoSnapshots, detach, isEmpty, makeDirectories, move } from '../../namespace/tree.ts'
import { checkQuota, inheritUsage, usageAt } from '../../quotas/usage.ts'
import { noteStale } from '../../snapshots/historysweep.ts'
import { openItem } from '../../trash/items.ts'
import { numberOf, versionIn } from '../../versions/lookup.ts'
import { recordOf, type MadeBy } from '../../versions/rows.ts'
import { freeBeyond, nextNumber, recordMade, replaceable, replaceHead } from '../../versions/shelf.ts'
import { outputs } from '../store/rows.ts'
import { checkCommitted, hasStaging, outputName, stagingOf, type CommittedFiles } from './staging.ts'

export type OutputPlace = Pick<JobSpec['output'], 'path' | 'overwrite' | 'force' | 'result' | 'ifVersion'>

const successName = '_SUCCESS'
const what = 'write a job\'s output to'
/** Names of a directory that are checked before it is replaced, about 20 ms. Unchecked ones are in the trash as well. */
const lookedAtMax = 20_000

/** Throws the errors of publishing, as far as they are known before the job has run. `inputs`: paths named as input. */
export function checkOutput(view: View, actor: Actor, output: OutputPlace, inputs: readonly string[] = []): void {
  const { path } = output
  // The result of a step is never published.
  if (output.result) return
  checkNotSystem(path, what)
  checkApart(path, inputs)
  checkUnreserved(view, path)
  checkAsked(path)
  const directory = lowestAt(view, actor, parentOf(path))
  checkMay(actor, directory.entry, maySearch, directory.path)
  checkNoVersion(view, directory, path)
  const missing = namesOf(path).length - 1 - namesOf(directory.path).length
  if (missing === 0) {
    checkPlace(view, actor, { path, parent: directory, name: nameOf(path), entry: child(view, directory.entry.id, nameOf(path)) }, output)
    return
  }
  const first = namesOf(path)[namesOf(directory.path).length]!
  if (view.get('writers', childKey(directory.entry.id, first))) {
    throw new GristmillError(
      'EBUSY',
      `the output ${path} cannot be published: a file of the name of a directory above it is being written (${join(directory.path, first)})`,
      { details: { path } },
    )
  }
  checkVersion(undefined, output)
  // Missing directories above the output will be created.
  checkMay(actor, directory.entry, mayWrite, directory.path)
  checkQuota(view, directory.entry.id, { names: missing + 2, bytes: 1 })
}

/** Throws EROFS for a path into a version of an output, which a directory of that name would hide. `above`: the lowest that exists. */
function checkNoVersion(view: View, above: Directory, path: string): void {
  const name = namesOf(path)[namesOf(above.path).length]!
  if (child(view, above.entry.id, name) || !versionIn(view, above.entry.id, name)) return
  const version = join(above.path, name)
  throw new GristmillError(
    'EROFS',
    `the output ${path} cannot be published: ${version} is a version of an output, and a version never changes; ` +
    'name another output, or the output itself with overwrite (--overwrite)',
    { details: { path } },
  )
}

function checkPlace(view: View, actor: Actor, { path, parent, name, entry }: NamePlace, output: OutputPlace): void {
  const { overwrite, force } = output
  checkMay(actor, parent.entry, mayWrite, parent.path)
  checkVersion(entry && numberOf(view, entry.id, undefined), output)
  if (!entry) {
    if (view.get('writers', childKey(parent.entry.id, name)))
      throw new GristmillError('EBUSY', `the output ${path} cannot be published: a file of this name is being written`, {
        details: { path },
      })
    // The directory and its _SUCCESS; one byte, because a directory with a full quota must be refused at submission.
    checkQuota(view, parent.entry.id, { names: 2, bytes: 1 })
    return
  }
  if (!overwrite)
    throw new GristmillError('EEXIST', `the output ${path} exists already; remove it, name another, or say overwrite (--overwrite)`, {
      details: { path },
    })
  if (!entry.directory)
    throw new GristmillError('ENOTDIR', `the output ${path} is a file; only a directory is replaced by a job's output`, {
      details: { path },
    })
  checkSticky(actor, parent.entry, entry, path)
  checkMay(actor, entry, mayWrite, path)
  checkMay(actor, entry, maySearch, path)
  checkNoSnapshots(view, entry.id, path, 'replaced')
  const empty = isEmpty(view, entry.id)
  if (!force && !empty) checkReplaceable(view, entry.id, path)
  // The old output leaves the quotas above it first.
  if (empty) checkQuota(view, parent.entry.id, { names: 1, bytes: 1 })
  const own = usageAt(view, entry.id)?.limit
  if (own && (own.names === 0 || own.bytes === 0))
    throw new GristmillError('EDQUOT', `the output ${path} has a quota that allows nothing in it; have it raised, or name another output`, {
      details: { path, limit: own },
    })
}

/** Throws ESTALE if the newest version of the output, undefined without one, is another than the job is to replace. */
function checkVersion(version = 0, { path, ifVersion = version }: OutputPlace): void {
  if (version === ifVersion) return
  const named = (number: number): string => (number === 0 ? 'no version' : `version ${number}`)
  throw new GristmillError(
    'ESTALE', `the output ${path} has ${named(version)} now, and had ${named(ifVersion)} when the job was planned; nothing was replaced`,
    { details: { path, version } },
  )
}

/** Throws ENOTEMPTY if the directory is not a job's output. */
function checkReplaceable(view: View, directory: InodeId, path: string): void {
  const why = whyNoOutput(view, directory)
  if (why === undefined) return
  throw new GristmillError(
    'ENOTEMPTY',
    `the output ${path} is not replaced: ${why}, so it is not the output of a job; name another output, or say force (--force) to have it replaced all the same`,
    { details: { path } },
  )
}

/** undefined: the directory is a job's output, which has `_SUCCESS`, and only files beside it. */
function whyNoOutput(view: View, directory: InodeId): string | undefined {
  const success = child(view, directory, successName)
  if (!success || success.directory) return `it has no ${successName}`
  for (const { key, value } of view.range('children', { start: childKey(directory, ''), end: idKey(directory + 1), limit: lookedAtMax })) {
    if (isDirectory(value) && !isShelf(nameOfKey(key))) return `it has a directory "${nameOfKey(key)}"`
  }
  return undefined
}

/** Throws EBUSY if a running job has reserved this path, or one above or below it. */
function checkUnreserved(view: View, path: string): void {
  for (const { job, path: output } of outputs(view)) {
    // A job without staging (removed by a superuser) has nothing to publish.
    if (!overlap(output, path) || !hasStaging(view, job)) continue
    throw new GristmillError(
      'EBUSY',
      `the output ${path} is reserved: ${job}, which runs, will publish ${output}; wait for its end, kill it, or name another output`,
      { details: { path, job } },
    )
  }
}

/** Retention of replaced outputs; part of an operation. */
export interface KeepVersions {
  /** Versions of an output that are kept beside the newest one; 0: a replaced output goes to the trash. */
  readonly keep: number
  /** Time in the journal's clock. */
  readonly nowMs: number
}

interface Versioning extends KeepVersions { readonly made: MadeBy }

interface Publishing {
  readonly job: JobId
  readonly actor: Actor
  /** Owner of the written files. */
  readonly owner: string
  readonly output: OutputPlace
  readonly nowMs: number
  /** Time in the journal's clock at which a replaced directory goes to the trash; undefined: no trash, it is deleted. */
  readonly trashMs?: number | undefined
  /** undefined in operations of earlier versions, which kept no versions of outputs. */
  readonly version?: Versioning | undefined
  /** undefined in operations of earlier versions, which published what was there. */
  readonly committed?: CommittedFiles | undefined
  /** `_SUCCESS` gets the default list of its directory; false in operations of earlier versions. */
  readonly inherits?: boolean | undefined
}

/**
 * Mode and list of the files of an output: by the default list of the directory that the output replaces, or in which it will be made.
 * undefined: there is no such list.
 */
export function filesIn(view: View, output: string): Pick<NameEntry, 'mode' | 'acl'> | undefined {
  let above: NameEntry
  try {
    above = lowestAt(view, systemActor, output).entry
  } catch (error) {
    // A file is in the way: publishing will say so.
    if (hasCode(error, 'ENOTDIR')) return undefined
    throw error
  }
  return hasDefaults(above) ? { acl: undefined, ...fileIn(above, undefined) } : undefined
}

/** Moves the staged output to its path, as a whole. A replaceable old output is removed, or kept, in the same transaction. */
export function publishOutput(draft: Draft, publishing: Publishing): void {
  const { job, actor, owner, output, nowMs, trashMs, committed, version, inherits = false } = publishing
  if (committed) checkCommitted(draft, job, committed)
  checkNotSystem(output.path, what)
  const { adder } = makeDirectories(draft, actor, parentOf(output.path), { nowMs, asked: output.path })
  const place = placeAt(draft, adder, output.path)
  checkPlace(draft, adder, place, output)
  const { parent, name, path, entry: old } = place
  const { own, output: made } = stagingOf(draft, job)
  // Earlier versions let the job's user write there.
  const odd = child(draft, made.id, successName)
  if (odd) detach(draft, made.id, successName, odd)
  addFile(draft, made.id, successName, {
    id: inodeId(draft.take('nextInode')), directory: false, owner, group: parent.entry.group, mtimeMs: Math.floor(nowMs),
    ...inherits ? fileIn(old ?? directoryIn(parent.entry, undefined), undefined) : { mode: fileMode },
    replication: 1, blockBytes: limits.blockBytesDefault, format: 'bytes', length: 0, blocks: 0,
  })
  const isVersion = old !== undefined && isOutput(draft, old)
  if (version) {
    const number = nextNumber(draft, isVersion ? old : undefined)
    recordMade(draft, made.id, { number, madeMs: nowMs, user: owner, made: version.made })
  }
  if (version && version.keep > 0 && old && isVersion) {
    const from = { parent: own.id, name: outputName }
    // The oldest versions go first: the new output may need their part of a quota. The old one takes the place of one of them, unless it
    // has a tag.
    freeBeyond(draft, old, version.keep - (recordOf(draft, old.id)?.numbers.at(-1)?.tag === undefined ? 1 : 0))
    withAdvice(draft, path, old, () =>
      replaceHead(draft, place, old, { next: made, from, nowMs, replacedMs: Math.floor(version.nowMs) }))
    freeBeyond(draft, child(draft, parent.entry.id, name)!, version.keep)
    return
  }
  const inherited = hasDefaults(parent.entry) && directoryIn(parent.entry, undefined)
  let entry: NameEntry = { ...made, ...inherited, group: parent.entry.group, mtimeMs: Math.floor(nowMs) }
  if (old) {
    const { mode, acl, owner: user, group } = old
    entry = { ...entry, mode, acl, owner: user, group }
    setAside(draft, place, old, { user: actor.user, trashMs })
    copyAttributes(draft, old.id, made.id)
    if (inheritUsage(draft, { from: old.id, to: made, path })) noteStale(draft)
  }
  move(draft, { parent: own.id, name: outputName }, { parent: parent.entry.id, name }, entry)
}

/** Adds to EDQUOT that older versions of the output could be freed. */
function withAdvice(view: View, path: string, head: NameEntry, replace: () => void): void {
  const count = replaceable(view, head).length
  try {
    replace()
  } catch (error) {
    if (count === 0 || !hasCode(error, 'EDQUOT')) throw error
    throw new GristmillError(
      'EDQUOT',
      `${error.message}; ${count} older version${count === 1 ? '' : 's'} of ${path} count for it: free them with "gristmill history ${path} --keep N"`,
      { details: error.details, cause: error },
    )
  }
}

/** True if a job published the directory; for one of an earlier version of gristmill, if it looks as if. */
const isOutput = (view: View, { id }: NameEntry): boolean => recordOf(view, id) !== undefined || whyNoOutput(view, id) === undefined

function setAside(
  draft: Draft, { path, parent, name }: NamePlace, entry: NameEntry,
  { user, trashMs }: { user: string; trashMs: number | undefined },
): void {
  if (trashMs === undefined) return detach(draft, parent.entry.id, name, entry)
  const item = openItem(draft, { user, from: path, removedMs: Math.floor(trashMs) })
  move(draft, { parent: parent.entry.id, name }, { parent: item.id, name }, entry)
}
