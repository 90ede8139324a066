// Staging: a job's output before it is published. Below `/.gristmill/jobs/<job>`, owned by the job's user, each attempt writes
// into its own directory; the commit of a task moves its files into `output`; publishing (publish.ts) renames that directory to
// the output path. Publishing is one rename for any number of parts, and files of losing attempts do not interfere.

import { createHash } from 'node:crypto'
import { assert } from '../../../src/base/assert.ts'
import { GristmillError } from '../../../src/base/errors.ts'
import { attemptParts, jobId, type AttemptId, type JobId } from '../../../src/base/ids.ts'
import { join } from '../../../src/base/paths.ts'
import type { OutputFile } from '../../../src/protocol/task.ts'
import type { Draft } from '../../journal/draft.ts'
import { childKey, idKey, nameOfKey } from '../../journal/keys.ts'
import { systemActor } from '../../journal/operation.ts'
import type { View } from '../../journal/view.ts'
import { decodeSize, type NameEntry } from '../../namespace/entry.ts'
import { stagingDirectory } from '../../namespace/format.ts'
import { directoryMode } from '../../namespace/inherit.ts'
import { child, directoryAt } from '../../namespace/resolve.ts'
import { addDirectory, detach, move } from '../../namespace/tree.ts'

export const outputName = 'output'

const stagingId = (view: View) => directoryAt(view, systemActor, stagingDirectory).entry.id

/**
 * Creates the staging of a new job. `clear`: an existing file or directory of that name is detached first. Operations of earlier
 * versions lack `clear`: they overwrote the row and left its files and blocks without a name; their replay does the same.
 */
export function openStaging(
  draft: Draft, job: JobId, user: string,
  { nowMs, clear = true }: { nowMs: number; clear?: boolean | undefined },
): void {
  const parent = stagingId(draft)
  const squatter = child(draft, parent, job)
  if (squatter && clear) detach(draft, parent, job, squatter)
  else if (squatter) draft.remove('children', childKey(parent, job))
  const own = addDirectory(draft, parent, job, { owner: user, group: user, mode: 0o700, nowMs })
  addDirectory(draft, own.id, outputName, { owner: user, group: user, mode: directoryMode, nowMs })
}

/**
 * Moves the files of an attempt into the job's output, with this mode and list, by default their own. Throws if one is missing or differs
 * from the report.
 */
export function takeFiles(
  draft: Draft, job: JobId,
  { attempt, files, guard }: {
    readonly attempt: AttemptId
    readonly files: readonly OutputFile[]
    readonly guard?: Pick<NameEntry, 'mode' | 'acl'> | undefined
  },
): void {
  const { own, output } = stagingOf(draft, job)
  const from = child(draft, own.id, attempt)
  for (const { name, inode, length } of files) {
    const entry = from?.directory ? child(draft, from.id, name) : undefined
    if (!from || entry?.id !== inode || entry.length !== length) {
      throw new GristmillError(
        'CORRUPT',
        `attempt ${attempt} reported a file ${name} of ${length} bytes, but has not stored it`,
        { details: { attempt, name } },
      )
    }
    if (child(draft, output.id, name))
      throw new GristmillError(
        'EEXIST',
        `task ${attemptParts(attempt).task} wrote a file ${name}, which another task has written already`,
        { details: { attempt, name } },
      )
    move(draft, { parent: from.id, name }, { parent: output.id, name }, { ...entry, ...guard })
  }
}

/** Digest of the names, inodes and lengths of files, in any order. */
export const digestOf = (files: ReadonlyArray<Pick<OutputFile, 'name' | 'inode' | 'length'>>): string =>
  createHash('sha256').update(files.map(({ name, inode, length }) => `${inode} ${length} ${name}`).sort().join('/')).digest('hex')

/** Output files that the tasks of a job have committed. */
export interface CommittedFiles {
  readonly digest: string
  /** Read only if the digest is not that of the staged output. */
  files(): Iterable<OutputFile>
}

/** Changes that a message names. */
const namedMax = 3

/** Throws CORRUPT if the staged output is not exactly what was committed. Takes 2 µs for each file. */
export function checkCommitted(view: View, job: JobId, { digest, files }: CommittedFiles): void {
  const { output } = stagingOf(view, job)
  const found: Array<Pick<OutputFile, 'name' | 'inode' | 'length'>> = []
  for (const { key, value } of view.range('children', { start: childKey(output.id, ''), end: idKey(output.id + 1) })) {
    const { id, length } = decodeSize(value)
    found.push({ name: nameOfKey(key), inode: id, length })
  }
  if (digestOf(found) === digest) return
  const missing = new Map<string, OutputFile>()
  for (const file of files()) missing.set(file.name, file)
  const changes: string[] = []
  for (const { name, inode, length } of found) {
    const file = missing.get(name)
    missing.delete(name)
    if (!file) changes.push(`${name} was added`)
    else if (inode !== file.inode) changes.push(`${name} was replaced`)
    else if (length !== file.length) changes.push(`${name} has ${length} bytes instead of ${file.length}`)
  }
  for (const name of missing.keys()) changes.push(`${name} is missing`)
  if (changes.length === 0) return
  const more = changes.length - namedMax
  throw new GristmillError(
    'CORRUPT',
    `the output of ${job} in ${join(join(stagingDirectory, job), outputName)} is not what its tasks have written: ` +
    `${changes.slice(0, namedMax).join(', ')}${more > 0 ? ` and ${more} more` : ''}; it is not published, so run the job again`,
    { details: { job } },
  )
}

/**
 * Keeps the output of a job that ended without being published, and drops everything else in its staging. Constant cost. Returns false
 * if the output is missing.
 */
export function keepStaging(draft: Draft, job: JobId, user: string, nowMs: number): boolean {
  const parent = stagingId(draft)
  const own = child(draft, parent, job)
  const output = own?.directory ? child(draft, own.id, outputName) : undefined
  if (!own || !output?.directory) return false
  const aside = `${job}.${outputName}`
  const odd = child(draft, parent, aside)
  if (odd) detach(draft, parent, aside, odd)
  move(draft, { parent: own.id, name: outputName }, { parent, name: aside }, output)
  detach(draft, parent, job, own)
  const fresh = addDirectory(draft, parent, job, { owner: user, group: user, mode: 0o700, nowMs })
  move(draft, { parent, name: aside }, { parent: fresh.id, name: outputName }, output)
  return true
}

/** Removes the rest of a job's staging, if any. */
export function dropStaging(draft: Draft, job: JobId): void {
  const parent = stagingId(draft)
  const own = child(draft, parent, job)
  if (own) detach(draft, parent, job, own)
}

/** Names of all stagings: of running jobs, and others created by users. */
export function* staged(view: View): Iterable<JobId> {
  const parent = stagingId(view)
  for (const { key } of view.range('children', { start: childKey(parent, ''), end: idKey(parent + 1) })) yield jobId(nameOfKey(key))
}

export const hasStaging = (view: View, job: JobId): boolean => child(view, stagingId(view), job) !== undefined

export function stagingOf(view: View, job: JobId): { own: NameEntry; output: NameEntry } {
  const own = child(view, stagingId(view), job)
  const output = own && child(view, own.id, outputName)
  if (!own || !output?.directory)
    throw new GristmillError(
      'ENOENT',
      `the staging of ${job}, ${join(stagingDirectory, job)}, has been removed; the job's output is lost`,
      { details: { job } },
    )
  assert(own.directory, 'staging is a directory')
  return { own, output }
}
