// Messages of a writer, client or executor → namenode. A file is invisible until `complete`. Sequence: create → (allocate)* →
// complete, or abandon. `renew` keeps the leases; a lost lease is a lost file.

import Type, { type Static } from './schema.ts'
import { limits } from '../base/limits.ts'
import {
  blockId, count, delimiter, empty, fileContent, inodeId, instant, itemError, leaseId, nodeId, nodePlace, path, recordFormat, requestId,
  text,
} from './fields.ts'
import { aclEntries } from './acl.ts'
import { message } from './message.ts'
import { fileStatus } from './namespace.ts'
import { attribute } from './xattr.ts'

const allocatedBlock = Type.Object({
  id: blockId,
  /** The pipeline, in order. Never empty; fewer than the target if fewer nodes can take the block. */
  targets: Type.Array(nodePlace),
  /** Allows writing this block. */
  token: text(300),
})
export type AllocatedBlock = Static<typeof allocatedBlock>

const blockBytes = Type.Integer({ minimum: limits.blockBytesMin, maximum: limits.blockBytesMax })
const replication = Type.Integer({ minimum: 1, maximum: limits.replicationMax })
const blockCount = Type.Integer({ minimum: 0, maximum: 64 })

/** Path at which an object of so many bytes will be published, or be a part of an upload. */
const publishes = Type.Object({ to: path, base: Type.Optional(path), bytes: count })
export type Publishing = Static<typeof publishes>

const newFile = {
  path,
  overwrite: Type.Optional(Type.Boolean()),
  parents: Type.Optional(Type.Boolean()),
  mode: Type.Optional(Type.Integer({ minimum: 0, maximum: 0o1777 })),
  /** Mode of a new file whose directory has a default list, which bounds that list; default: `mode`. */
  unmasked: Type.Optional(Type.Integer({ minimum: 0, maximum: 0o1777 })),
  replication: Type.Optional(replication),
  blockBytes: Type.Optional(blockBytes),
  format: Type.Optional(recordFormat),
  /** Field separator, which determines where rows of CSV end; of a file in any format that is read as CSV. */
  delimiter: Type.Optional(delimiter),
  /** The same: the first row names the columns, or it does not. */
  header: Type.Optional(Type.Boolean()),
}

/**
 * EEXIST unless `overwrite`; EISDIR; EBUSY while another writer has the path. `parents` creates missing directories. ENOENT with
 * `keepsOwner` if there is no file.
 */
export const create = message('writing.create', {
  callers: 'user',
  audit: ({ path, overwrite, replication, keepsOwner }, reply) => ({
    path, overwrite, replication, ...keepsOwner && { keepsOwner }, lease: reply?.lease,
  }),
  mutation: true, paths: 'checked',
  request: Type.Object({
    requestId, ...newFile,
    /** Number of blocks to allocate at once, to save a call. */
    blocks: Type.Optional(blockCount),
    /** Bytes of the longest of them, if known: nodes with less space than a whole block can take a small one. */
    bytes: Type.Optional(count),
    /**
     * The file is a new state of the one at the path: it has the owner, the group, the mode and the list which that one has then, and the
     * permission to write it suffices. EINVAL with a mode, or with `overwrite: false`.
     */
    keepsOwner: Type.Optional(Type.Literal(true)),
    /** The file is an object that is written aside, and will be published: EDQUOT if it could not be there now. */
    publishes: Type.Optional(publishes),
    /** The writer's host: a datanode there gets the first replica. */
    host: Type.Optional(text(255)),
  }),
  reply: Type.Object({
    lease: leaseId, blockBytes: count, replication: count, blocks: Type.Array(allocatedBlock),
    /** Up to so many bytes may be given to `complete` in place of blocks. */
    inlineBytes: Type.Optional(count),
  }),
})

/** Allocates more blocks for an open file; nodes in `exclude` have just failed for this writer. ENOSPC if no node can take one. */
export const allocate = message('writing.allocate', {
  callers: 'user', unaudited: 'a step of writing.create',
  mutation: true, paths: 'unchecked',
  request: Type.Object({
    requestId, lease: leaseId, count: blockCount,
    exclude: Type.Optional(Type.Array(nodeId, { maxItems: 1000 })),
    bytes: Type.Optional(count), host: Type.Optional(text(255)),
  }),
  reply: Type.Object({ blocks: Type.Array(allocatedBlock) }),
})

export const sealedBlock = Type.Object({
  id: blockId,
  length: count,
  crc: count,
  aligned: Type.Boolean(),
  /** The pipeline members that acknowledged it. */
  nodes: Type.Array(nodeId, { maxItems: limits.replicationMax }),
})
export type SealedBlock = Static<typeof sealedBlock>

/** Appears with a new file, in the same step. */
const appearing = {
  /**
   * Access control list: all entries, also of owner, group and others, which give the mode. Without further ones the file has no list,
   * whatever its directory or the file that it replaces has.
   */
  acl: Type.Optional(aclEntries),
  /** Extended attributes of users. */
  attributes: Type.Optional(Type.Array(attribute, { maxItems: limits.attributesMax })),
  /** The file has those of the file that it replaces. */
  keepsAttributes: Type.Optional(Type.Literal(true)),
}
const appearance = Type.Object(appearing)
export type Appearance = Static<typeof appearance>

/** Publishes the file with these blocks in this order. Blocks allocated but not named are garbage. EINVAL, TOO_LARGE for attributes. */
export const complete = message('writing.complete', {
  callers: 'user',
  audit: ({ lease, acl: list }, reply) => ({ lease, bytes: reply?.length, ...list && { acl: list } }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({
    requestId, lease: leaseId,
    blocks: Type.Array(sealedBlock, { maxItems: limits.fileBlocksMax }),
    /** Bytes of a small file, in place of blocks. */
    content: Type.Optional(fileContent),
    mtimeMs: Type.Optional(instant),
    ...appearing,
  }),
  bodyBytesMax: limits.jobBodyBytesMax, reply: fileStatus,
})

const smallFile = Type.Object({
  ...newFile,
  /** Number of the file in its call: its answer is kept under it. */
  number: Type.Integer({ minimum: 0, maximum: limits.inlinePutFilesMax - 1 }),
  content: fileContent,
  mtimeMs: Type.Optional(instant),
  acl: appearing.acl,
})
export type SmallFile = Static<typeof smallFile>

export const smallFileOutcome = Type.Object({
  status: Type.Optional(fileStatus),
  /** In place of the status: this file was refused, and nothing of it was stored. */
  error: Type.Optional(itemError),
  /** In place of both: the namenode does not inline files of this length. */
  inBlocks: Type.Optional(Type.Literal(true)),
})

/** Lists that say more than a mode does; undefined if there are none. */
function listsOf(files: readonly SmallFile[]): object[] | undefined {
  const lists = files.flatMap(({ path: named, acl }) => (acl && acl.length > 3 ? [{ path: named, acl }] : []))
  return lists.length > 0 ? lists : undefined
}

/**
 * Writes small files whole, each with an outcome of its own, in the order of the request. A repeat gets the first answers. Errors of a file
 * are those of `create`; an error of the call concerns all files.
 */
export const put = message('writing.put', {
  callers: 'user',
  audit: ({ files }, reply) => ({
    paths: files.map(({ path: named }) => named), lists: listsOf(files),
    bytes: reply?.files.reduce((sum, { status }) => sum + (status?.length ?? 0), 0),
    refused: reply?.files.flatMap(({ error }, i) => (error ? [{ path: files[i]!.path, code: error.code }] : [])),
  }),
  mutation: true, paths: 'checked', parts: 'files',
  request: Type.Object({ requestId, files: Type.Array(smallFile, { minItems: 1, maxItems: limits.inlinePutFilesMax }) }),
  /** `inlineBytes`: length up to which this namenode inlines files. */
  reply: Type.Object({ files: Type.Array(smallFileOutcome), inlineBytes: count }),
})

/**
 * Makes one file of the blocks of a file and those of others, in this order, in its place; the others are removed. No byte is moved. The
 * file is another one then: it has a new id, and keeps owner, mode and attributes. EINVAL for a file that is inlined or named twice, or
 * whose blocks may be longer than those of the first; EBUSY for one that a snapshot keeps or a writer has; ESTALE if a path leads to
 * another file than the caller has seen.
 */
export const concat = message('writing.concat', {
  callers: 'user',
  audit: ({ path, sources }, reply) => ({ path, sources: sources.map(({ path: source }) => source), bytes: reply?.length }),
  mutation: true, paths: 'checked',
  request: Type.Object({
    requestId, path, id: inodeId, sources: Type.Array(Type.Object({ path, id: inodeId }), { minItems: 1, maxItems: limits.concatFilesMax }),
  }),
  reply: fileStatus,
})

export const abandon = message('writing.abandon', {
  callers: 'user',
  audit: ({ lease }) => ({ lease }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, lease: leaseId }),
  reply: empty,
})

export const renew = message('writing.renew', {
  callers: 'user', unaudited: 'a step of writing.create',
  request: Type.Object({ leases: Type.Array(leaseId, { maxItems: 10_000 }) }),
  /** Leases that no longer exist. */
  reply: Type.Object({ lost: Type.Array(leaseId) }),
})
