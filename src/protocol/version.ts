// Messages about the versions of outputs, client → namenode. A job that replaces an output keeps the old one as a version; every
// message that reads a path reads it as PATH@NUMBER or PATH@TAG.

import Type, { type Static } from './schema.ts'
import { limits } from '../base/limits.ts'
import { tagCharsMax } from '../base/version-path.ts'
import { count, empty, inodeId, instant, jobId, path, programId, requestId, text } from './fields.ts'
import { origin } from './job.ts'
import { message, oneOf } from './message.ts'

const number = Type.Integer({ minimum: 1, maximum: 2 ** 31 })
const tag = Type.String({ minLength: 1, maxLength: tagCharsMax })
/** A number, or a tag. */
const named = text(tagCharsMax)

export const version = Type.Object({
  number,
  /** Inode of its directory. Versions share one after a rollback. */
  id: inodeId,
  /** The version is what the path leads to. */
  head: Type.Boolean(),
  madeMs: instant,
  /** User who published it, or rolled back to it. */
  user: text(255),
  /** Set by a rollback: the version whose contents these are. */
  from: Type.Optional(number),
  /** When the next version replaced it, by the namenode's clock. */
  replacedMs: Type.Optional(instant),
  tag: Type.Optional(tag),
  /** Job and program that made the contents; missing for outputs of earlier versions of gristmill. */
  job: Type.Optional(jobId),
  program: Type.Optional(programId),
  rows: Type.Optional(count),
  bytes: Type.Optional(count),
  /** The check of its program has passed, or it was published in spite of the check; missing for a program without one. */
  check: Type.Optional(oneOf(['passed', 'overruled'])),
})
export type Version = Static<typeof version>

/**
 * Versions of an output, newest first; a page ends before its text is too long. `id`: the versions that are this directory, of whatever
 * output they are now; the reply has its present path, and `path` is only named in errors. ENOENT if there is none that the caller may
 * read.
 */
export const list = message('version.list', {
  callers: 'user',
  auditRead: ({ path, id }) => ({ path, id }),
  request: Type.Object({ path, id: Type.Optional(inodeId), before: Type.Optional(number) }),
  reply: Type.Object({ path, versions: Type.Array(version), next: Type.Optional(number) }),
})

const made = Type.Object({
  name: Type.Optional(text(200)),
  /** Path of the stored program. */
  programPath: Type.Optional(path),
  fingerprint: Type.Optional(text(64)),
  seed: Type.Optional(count),
  /** Missing if they were too large to be kept. */
  params: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  /** Names of environment variables. */
  env: Type.Optional(Type.Array(text(limits.environmentBytesMax))),
  inputs: Type.Optional(Type.Array(path, { maxItems: 20_000 })),
  origin: Type.Optional(origin),
  limits: Type.Optional(Type.Object({
    attemptsMax: count, memoryBytes: count, taskDeadlineMs: count, cpu: Type.Optional(count),
  })),
  format: Type.Optional(text(20)),
})
export type Made = Static<typeof made>

/**
 * One version of an output, with what made it; default: the head. `intact`: its files are those that the job published; missing if that
 * is not known.
 */
export const show = message('version.show', {
  callers: 'user',
  auditRead: ({ path, version }) => ({ path, version }),
  request: Type.Object({ path, version: Type.Optional(named) }),
  reply: Type.Object({ version, made, intact: Type.Optional(Type.Boolean()) }),
})
export type VersionDetail = Static<typeof show.reply>

/**
 * Makes an older version the newest one, under a new number; default: the version before the head. Allowed for callers who may replace
 * the output.
 */
export const rollback = message('version.rollback', {
  callers: 'user',
  audit: ({ path, to }, reply) => ({ path, to: reply?.from ?? to, version: reply?.version, freed: reply?.freed }),
  mutation: true, paths: 'checked',
  request: Type.Object({ requestId, path, to: Type.Optional(named) }),
  /** `freed`: versions beyond the number that is kept, which this one has pushed out. */
  reply: Type.Object({ version: number, from: number, freed: Type.Optional(Type.Array(number)) }),
})

/** Gives a version a tag, which keeps it from being freed; without `tag` removes it. */
export const setTag = message('version.tag', {
  callers: 'user',
  audit: ({ path, version, tag }) => ({ path, version, tag }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, path, version: named, tag: Type.Optional(tag) }),
  reply: empty,
})

/** Frees one version, which is neither the head nor tagged, and makes its number unreadable. */
export const remove = message('version.remove', {
  callers: 'user',
  audit: ({ path, version }) => ({ path, version }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, path, version: named }),
  reply: empty,
})

/** Frees the oldest versions beyond `keep`, beside the head and tagged ones. `more`: call again. */
export const keep = message('version.keep', {
  callers: 'user',
  audit: ({ path, keep }, reply) => ({ path, keep, freed: reply?.freed }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, path, keep: count }),
  reply: Type.Object({ freed: count, more: Type.Boolean() }),
})

/** Versions that were computed from given files and outputs. */
const use = Type.Object({ path, version })

/**
 * Heads and versions whose job read one of these inodes (files, or directories of outputs), or belongs to this run of a program, page by
 * page over all versions of the cluster that the caller may see. A page may be empty and still have a next one.
 */
export const uses = message('version.uses', {
  callers: 'user',
  auditRead: ({ ids, run }) => ({ ids, run }),
  request: Type.Object({ ids: Type.Array(inodeId, { maxItems: 1000 }), run: Type.Optional(text(64)), after: Type.Optional(inodeId) }),
  reply: Type.Object({ uses: Type.Array(use), next: Type.Optional(inodeId) }),
})
