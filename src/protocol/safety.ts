// Messages of operators about data safety: block health (fsck), safe mode, backups of the state, and the blocks that a recovery
// could not assign to files.

import Type, { type Static } from './schema.ts'
import { limits } from '../base/limits.ts'
import { address, blockId, clusterId, count, inodeId, instant, nodeId, path, requestId, text } from './fields.ts'
import { message } from './message.ts'

/** `corrupt`: only bad replicas are known. There is no `open`: files being written are not reported. */
const blockHealth = Type.Union([
  Type.Literal('healthy'), Type.Literal('missing'), Type.Literal('corrupt'), Type.Literal('under'), Type.Literal('over'),
  Type.Literal('misplaced'),
])
export type BlockHealth = Static<typeof blockHealth>

const checkedBlock = Type.Object({
  block: blockId,
  length: count,
  health: blockHealth,
  /**
   * Target number of replicas, and replicas on nodes that are not dead; `leaving`: those of them on decommissioning or
   * decommissioned nodes, which do not count.
   */
  target: count,
  live: count,
  leaving: Type.Optional(count),
  nodes: Type.Optional(Type.Array(Type.Object({ node: nodeId, address, rack: text(255) }))),
})
export type CheckedBlock = Static<typeof checkedBlock>

/** A file, or a continuation of one whose blocks did not fit into the previous page. */
const checkedFile = Type.Object({
  path,
  id: inodeId,
  length: count,
  replication: count,
  /** Number of blocks of the whole file. */
  blocks: count,
  /** Set for a file whose bytes are in the namenode's store. `corrupt`: they do not match their checksum. */
  inlined: Type.Optional(Type.Union([Type.Literal('healthy'), Type.Literal('corrupt')])),
  continued: Type.Boolean(),
  found: Type.Array(checkedBlock),
})
export type CheckedFile = Static<typeof checkedFile>

const checkCounts = Type.Object({
  files: count, directories: count, blocks: count, bytes: count,
  /** Live replicas of all blocks. */
  replicas: count,
  /** Files without blocks, whose bytes are in the namenode's store; a corrupt one counts as `corrupt`. */
  inlined: Type.Optional(count),
  missing: count, corrupt: count, under: count, over: count, misplaced: count,
  /** Directories that the caller may not read: their contents are not checked. */
  unread: count,
})
export type CheckCounts = Static<typeof checkCounts>

/** Position to continue at: after this path, or in this file from a chunk of its blocks on. */
const checkCursor = Type.Object({ path, chunk: Type.Optional(count) })

/** One page of a walk over everything below a path, in byte order of names. The tree may change between two pages. */
export const fsck = message('safety.fsck', {
  callers: 'user',
  auditRead: ({ path }) => ({ path }),
  request: Type.Object({
    path,
    after: Type.Optional(checkCursor),
    /** Report healthy files and blocks too. */
    healthy: Type.Optional(Type.Boolean()),
    locations: Type.Optional(Type.Boolean()),
  }),
  reply: Type.Object({ files: Type.Array(checkedFile), counts: checkCounts, next: Type.Optional(checkCursor) }),
})
export type FsckPage = Static<typeof fsck.reply>

const recountDifference = Type.Object({
  /** Counted thing: a counter of the namenode, or blocks, bytes or quota usage of `path`. */
  what: text(64),
  /** The number that the namenode keeps, and the number found in its state. */
  kept: count,
  found: count,
  path: Type.Optional(path),
})
export type RecountDifference = Static<typeof recountDifference>

/**
 * Counts the namenode's whole state and compares it with the numbers that it keeps (counters, lengths, quota usage). Waits for some
 * seconds; a reply without `result` says that the recount goes on: the caller asks again with its number.
 */
export const recount = message('safety.recount', {
  callers: 'user', unaudited: 'it compares totals',
  request: Type.Object({ recount: Type.Optional(count) }),
  reply: Type.Object({
    recount: count,
    /** Rows read so far. */
    rows: count,
    result: Type.Optional(Type.Object({
      /** Number of the last operation in the recounted state. */
      seq: count,
      differences: Type.Array(recountDifference),
      /** Differences beyond those listed. */
      more: count,
      /** Files and directories found, with those that no path of the namespace names. */
      files: Type.Optional(count),
      directories: Type.Optional(count),
    })),
  }),
})
export type RecountProgress = Static<typeof recount.reply>
export type RecountResult = NonNullable<RecountProgress['result']>

const safeModeState = Type.Object({
  on: Type.Boolean(),
  /** Entered by an operator; lasts until an operator ends it, or the namenode ends. */
  manual: Type.Boolean(),
  /** Reason why this namenode is behind its cluster: its directory is an old copy, or one of two. Safe mode then does not end. */
  behind: Type.Optional(text(2000)),
  /** Reason why nothing may be changed yet: it is unknown whether this namenode is the latest of its cluster. */
  doubt: Type.Optional(text(2000)),
  /** All blocks, and those with a known replica; safe mode ends automatically when enough are known and all nodes have reported. */
  blocks: count,
  present: count,
  /** Known datanodes that have not reported yet. */
  awaited: count,
})
export type SafeModeState = Static<typeof safeModeState>

export const safeMode = message('safety.safeMode', {
  callers: 'user',
  audit: ({ action }) => ({ safeMode: action }),
  request: Type.Object({ action: Type.Union([Type.Literal('get'), Type.Literal('enter'), Type.Literal('leave')]) }),
  reply: safeModeState,
})

/** Makes a backup on the namenode's machine: `dir` is a path there. Default: the directory of automatic backups. */
export const backup = message('safety.backup', {
  callers: 'user',
  audit: ({ dir }, reply) => ({ dir, path: reply?.path }),
  request: Type.Object({ dir: Type.Optional(text(4096)) }),
  reply: Type.Object({
    path: text(limits.pathBytesMax), cluster: clusterId, namenode: text(64), epoch: count, seq: count, createdMs: instant, rows: count,
    digest: text(64), files: count, directories: count, blocks: count, bytes: count,
  }),
})
export type BackupMade = Static<typeof backup.reply>

const lostNode = Type.Object({
  node: nodeId,
  address,
  /** Blocks under ids that lost operations may have given out; `foreign`: under other ids that this namenode never gave out. */
  blocks: count,
  bytes: count,
  foreign: count,
  /** There are more blocks, which are not counted. */
  more: Type.Optional(Type.Boolean()),
})
export type LostNode = Static<typeof lostNode>

const lostState = Type.Object({
  /**
   * Block ids that operations lost in a recovery may have given out; `to` exclusive. Empty: nothing was lost, or all was released.
   */
  ranges: Type.Array(Type.Object({ from: blockId, to: blockId })),
  nodes: Type.Array(lostNode),
})
export type LostState = Static<typeof lostState>

/** Blocks on datanodes that belong to no file, and are kept because lost operations may have made files of them. */
export const lost = message('safety.lost', { callers: 'user', auditRead: () => ({}), request: Type.Object({}), reply: lostState })

/** Turns these blocks into garbage. Returns the state before. */
export const releaseLost = message('safety.releaseLost', {
  callers: 'user',
  audit: () => ({}),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId }),
  reply: lostState,
})

/** Allows datanodes to delete what they have refused to delete for this recently started namenode. Returns these datanodes. */
export const allowDeletions = message('safety.allowDeletions', {
  callers: 'user',
  audit: () => ({}),
  request: Type.Object({}),
  reply: Type.Object({ nodes: Type.Array(Type.Object({ node: nodeId, address, refused: count })) }),
})
export type AllowedDeletions = Static<typeof allowDeletions.reply>
