// Messages about the namespace, client → namenode. Paths are normal (base/paths.ts). Errors are POSIX codes; permissions are
// checked for the caller's user and groups.

import Type, { type Static } from './schema.ts'
import { limits } from '../base/limits.ts'
import {
  address, blockId, count, delimiter, empty, fileContent, inodeId, instant, itemError, leaseId, name, nodePlace, path, recordFormat,
  requestId, text,
} from './fields.ts'
import { message } from './message.ts'

export const fileStatus = Type.Object({
  path,
  id: inodeId,
  type: Type.Union([Type.Literal('file'), Type.Literal('directory')]),
  /** Bytes; 0 for a directory. */
  length: count,
  /** Target number of replicas; 0 for a directory. */
  replication: count,
  blockBytes: count,
  /** Number of blocks. */
  blocks: count,
  /** Set for a small file whose bytes are in the namenode's store: it has no blocks. */
  inlined: Type.Optional(Type.Literal(true)),
  format: recordFormat,
  /** csv: field separator given by its writer, by which its blocks end at rows. Default: a comma. */
  delimiter: Type.Optional(delimiter),
  /** csv: the first row names the columns, or it does not, as the writer has said. Default: the writer has not said. */
  header: Type.Optional(Type.Boolean()),
  owner: text(255),
  group: text(255),
  /** Permission bits, 0o0000 to 0o1777. */
  mode: count,
  /** Set if there is an access control list beside the mode. */
  acl: Type.Optional(Type.Literal(true)),
  mtimeMs: instant,
  /** Output of a job, in the reply of `namespace.stat`: number of this version. */
  version: Type.Optional(count),
})
export type FileStatus = Static<typeof fileStatus>

const locatedBlock = Type.Object({
  id: blockId,
  /** Offset of the block in the file. */
  offset: count,
  length: count,
  /** CRC32C of all its bytes. */
  crc: count,
  /** The block ends at a record boundary (and so does the previous one). */
  aligned: Type.Boolean(),
  /** Live replicas, nearest to the caller first. */
  nodes: Type.Array(nodePlace),
  /** Allows reading this block for limits.blockTokenMs. */
  token: text(300),
})
export type LocatedBlock = Static<typeof locatedBlock>

const mode = Type.Integer({ minimum: 0, maximum: 0o1777 })

export const stat = message('namespace.stat', {
  callers: 'user',
  auditRead: ({ path }) => ({ path }),
  request: Type.Object({ path }),
  reply: fileStatus,
})

/** One page of a directory in byte order of names. `next` is missing on the last page. A file lists as itself. */
export const list = message('namespace.list', {
  callers: 'user',
  auditRead: ({ path }) => ({ path }),
  request: Type.Object({
    path, after: Type.Optional(name),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.listPageMax })),
  }),
  reply: Type.Object({ entries: Type.Array(fileStatus), next: Type.Optional(name) }),
})

/**
 * Locations of the bytes [offset, offset + length) of a file. At most limits.locatePageMax blocks per reply; continue from `next`.
 * `lease`: of the caller, for a new state of this file (`keepsOwner`), which begins with the old content: permission to write suffices.
 */
export const locate = message('namespace.locate', {
  callers: 'user',
  auditRead: ({ path }) => ({ path }),
  request: Type.Object({
    path, offset: Type.Optional(count), length: Type.Optional(count), host: Type.Optional(text(255)), lease: Type.Optional(leaseId),
  }),
  reply: Type.Object({
    status: fileStatus, blocks: Type.Array(locatedBlock), next: Type.Optional(count),
    /** All bytes of an inlined file, whatever the range. */
    content: Type.Optional(fileContent),
  }),
})

const readContent = Type.Object({
  status: Type.Optional(fileStatus),
  /** Missing for a file that is not inlined. */
  content: Type.Optional(fileContent),
  /** In place of the status. */
  error: Type.Optional(itemError),
})

/**
 * Bytes of inlined files, many in one call. `id`: the file that the path led to before; ESTALE for another one. The reply has an entry for
 * each of the first files, and ends early when it has enough bytes: the caller asks again for the others.
 */
export const contents = message('namespace.contents', {
  callers: 'user',
  auditRead: ({ files }) => ({ paths: files.map(({ path: named }) => named) }),
  request: Type.Object({
    files: Type.Array(Type.Object({ path, id: Type.Optional(inodeId) }), { minItems: 1, maxItems: limits.contentsFilesMax }),
  }),
  reply: Type.Object({ files: Type.Array(readContent) }),
})

/**
 * Without `parents`, the parent must exist and the directory must not; with it, missing ones are created and an existing one is no
 * error.
 */
export const mkdir = message('namespace.mkdir', {
  callers: 'user',
  audit: ({ path, mode }) => ({ path, mode }),
  mutation: true, paths: 'checked',
  request: Type.Object({
    requestId, path, parents: Type.Optional(Type.Boolean()), mode: Type.Optional(mode),
    /** Mode where the directory above has a default list, which it bounds; default: `mode`. */
    unmasked: Type.Optional(mode),
  }),
  reply: fileStatus,
})

/** O(1). `to` is the new path itself, never a directory to move into. With `overwrite` a file replaces a file. */
export const rename = message('namespace.rename', {
  callers: 'user',
  audit: ({ from, to, overwrite }) => ({ from, to, overwrite }),
  mutation: true, paths: 'checked',
  request: Type.Object({ requestId, from: path, to: path, overwrite: Type.Optional(Type.Boolean()) }),
  reply: empty,
})

/**
 * Moves to the caller's trash, unless the cluster keeps none, `skipTrash` is set, or the path belongs to the system. Returns at
 * once; the contents of a deleted directory are swept in the background. A non-empty directory needs `recursive`.
 */
export const remove = message('namespace.remove', {
  callers: 'user',
  audit: ({ path, recursive, skipTrash }, reply) => ({ path, recursive, skipTrash, item: reply?.item }),
  mutation: true, paths: 'checked',
  request: Type.Object({ requestId, path, recursive: Type.Optional(Type.Boolean()), skipTrash: Type.Optional(Type.Boolean()) }),
  reply: Type.Object({
    /** Name of the item in the trash. */
    item: Type.Optional(text(64)),
  }),
})

export const setAttributes = message('namespace.attributes', {
  callers: 'user',
  audit: ({ path, mode, owner, group, mtimeMs, replication }) => ({ path, mode, owner, group, mtimeMs, replication }),
  mutation: true, paths: 'checked',
  request: Type.Object({
    requestId, path,
    mode: Type.Optional(mode),
    owner: Type.Optional(text(255)),
    group: Type.Optional(text(255)),
    mtimeMs: Type.Optional(instant),
    replication: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.replicationMax })),
  }),
  reply: fileStatus,
})

/** Creates an empty file, or sets the mtime of an existing path. */
export const touch = message('namespace.touch', {
  callers: 'user',
  audit: ({ path }) => ({ path }),
  mutation: true, paths: 'checked',
  request: Type.Object({ requestId, path, mtimeMs: Type.Optional(instant) }),
  reply: fileStatus,
})

/** Totals of everything at and below a path. `stored` counts target replicas. */
export const summary = message('namespace.summary', {
  callers: 'user',
  auditRead: ({ path }) => ({ path }),
  /** `versions`: also the older versions of outputs, which are no part of the totals. */
  request: Type.Object({ path, versions: Type.Optional(Type.Boolean()) }),
  reply: Type.Object({
    files: count, directories: count, bytes: count, stored: count,
    versions: Type.Optional(Type.Object({ files: count, directories: count, bytes: count, stored: count })),
  }),
})

/** Reports a replica that failed its checksum, or is missing. The namenode has the datanode verify it before it acts. */
export const reportBad = message('namespace.bad', {
  callers: 'user', unaudited: 'clients send it by themselves',
  request: Type.Object({
    block: blockId, address,
    proof: Type.Object({ offset: count, expected: count, found: count, message: text(500) }),
  }),
  reply: empty,
})
