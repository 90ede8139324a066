// What operators ask a namenode so that nothing is lost: how files stand (fsck), safe mode, backups of its state, and what a
// recovery could not bring back.

import Type, { type Static } from './schema.ts'
import { limits } from '../base/limits.ts'
import { address, blockId, clusterId, count, inodeId, instant, nodeId, path, requestId, text } from './fields.ts'
import { message } from './message.ts'

/** `corrupt`: only bad replicas are known. `open` is never said: files that are being written are not shown. */
export const blockHealth = Type.Union([
  Type.Literal('healthy'), Type.Literal('missing'), Type.Literal('corrupt'), Type.Literal('under'), Type.Literal('over'),
  Type.Literal('misplaced'),
])
export type BlockHealth = Static<typeof blockHealth>

export const checkedBlock = Type.Object({
  block: blockId,
  length: count,
  health: blockHealth,
  /**
   * Replicas that are wanted, and those on nodes that are not dead; `leaving`: of those, on nodes that are being emptied or have been,
   * which do not count.
   */
  target: count,
  live: count,
  leaving: Type.Optional(count),
  nodes: Type.Optional(Type.Array(Type.Object({ node: nodeId, address, rack: text(255) }))),
})
export type CheckedBlock = Static<typeof checkedBlock>

/** A file, or a further piece of one whose blocks did not fit into the page before. */
export const checkedFile = Type.Object({
  path,
  id: inodeId,
  length: count,
  replication: count,
  /** Of the whole file. */
  blocks: count,
  continued: Type.Boolean(),
  found: Type.Array(checkedBlock),
})
export type CheckedFile = Static<typeof checkedFile>

export const checkCounts = Type.Object({
  files: count, directories: count, blocks: count, bytes: count,
  /** Live replicas of all blocks. */
  replicas: count,
  missing: count, corrupt: count, under: count, over: count, misplaced: count,
  /** Directories that the caller may not read: nothing is known of what is in them. */
  unread: count,
})
export type CheckCounts = Static<typeof checkCounts>

/** Where to go on: behind this path, or in this file from a chunk of its blocks on. */
export const checkCursor = Type.Object({ path, chunk: Type.Optional(count) })

/** One page of a walk over everything below a path, in byte order of names. The tree may change between two pages. */
export const fsck = message('safety.fsck', {
  request: Type.Object({
    path,
    after: Type.Optional(checkCursor),
    /** Files and blocks that have nothing wrong are told too. */
    healthy: Type.Optional(Type.Boolean()),
    locations: Type.Optional(Type.Boolean()),
  }),
  reply: Type.Object({ files: Type.Array(checkedFile), counts: checkCounts, next: Type.Optional(checkCursor) }),
})
export type FsckPage = Static<typeof fsck.reply>

export const safeModeState = Type.Object({
  on: Type.Boolean(),
  /** An operator has said so; it lasts until an operator says otherwise, or the namenode ends. */
  manual: Type.Boolean(),
  /** Why this namenode is behind its cluster: its directory is an old copy, or one of two. It does not end then. */
  behind: Type.Optional(text(2000)),
  /** Why nothing may be changed yet: it is not known whether this namenode is the last one of its cluster. */
  doubt: Type.Optional(text(2000)),
  /** Of all blocks, those of which a replica is known; it ends by itself when they are enough and all nodes were heard. */
  blocks: count,
  present: count,
  /** Datanodes that were known before and have not reported. */
  awaited: count,
})
export type SafeModeState = Static<typeof safeModeState>

export const safeMode = message('safety.safeMode', {
  request: Type.Object({ action: Type.Union([Type.Literal('get'), Type.Literal('enter'), Type.Literal('leave')]) }),
  reply: safeModeState,
})

/** Made on the namenode's machine: `dir` is a path there. Without one, where backups are made by themselves. */
export const backup = message('safety.backup', {
  request: Type.Object({ dir: Type.Optional(text(4096)) }),
  reply: Type.Object({
    path: text(limits.pathBytesMax), cluster: clusterId, namenode: text(64), epoch: count, seq: count, createdMs: instant, rows: count,
    digest: text(64), files: count, directories: count, blocks: count, bytes: count,
  }),
})
export type BackupMade = Static<typeof backup.reply>

export const lostNode = Type.Object({
  node: nodeId,
  address,
  /** Under ids that lost operations may have given out; and others, which this namenode has never given out. */
  blocks: count,
  bytes: count,
  foreign: count,
  /** There are more, which are not counted. */
  more: Type.Optional(Type.Boolean()),
})
export type LostNode = Static<typeof lostNode>

export const lostState = Type.Object({
  /** Ids that operations which were lost in a recovery may have given out; `to` exclusive. None: nothing was lost, or all was released. */
  ranges: Type.Array(Type.Object({ from: blockId, to: blockId })),
  nodes: Type.Array(lostNode),
})
export type LostState = Static<typeof lostState>

/** Blocks that datanodes hold and that are no file's, and are kept because lost operations may have made files of them. */
export const lost = message('safety.lost', { request: Type.Object({}), reply: lostState })

/** They are garbage from now on. Tells how it was before. */
export const releaseLost = message('safety.releaseLost', { mutation: true, request: Type.Object({ requestId }), reply: lostState })

/** Datanodes that have refused to remove as much as this young namenode wanted are told that it is right. Tells which these are. */
export const allowDeletions = message('safety.allowDeletions', {
  request: Type.Object({}),
  reply: Type.Object({ nodes: Type.Array(Type.Object({ node: nodeId, address, refused: count })) }),
})
export type AllowedDeletions = Static<typeof allowDeletions.reply>
