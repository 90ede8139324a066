// The conversation of a datanode with its namenode about being alive: register once per session, then beat.
// A session is one registration; the namenode answers UNREGISTERED to any other number, and the node registers again.

import Type, { type Static } from './schema.ts'
import { address, attemptId, clusterId, count, instant, nodeId, storageId, text } from './fields.ts'
import { message } from './message.ts'
import { position, seen } from './position.ts'

export const storageState = Type.Object({
  id: storageId,
  dir: text(4096),
  capacityBytes: count,
  freeBytes: count,
  /** Bytes of blocks and their checksums. */
  usedBytes: count,
  blocks: count,
  failed: Type.Boolean(),
  /** It takes no new blocks for now, being read-only; what it has can be read. */
  closed: Type.Optional(Type.Boolean()),
  /** Removed blocks that are kept for a while; they give way to new ones, so `freeBytes` counts them as free. */
  trashBytes: Type.Optional(count),
  /** Damaged replicas that are kept aside. */
  quarantined: Type.Optional(count),
})
export type StorageState = Static<typeof storageState>

export const register = message('heartbeat.register', {
  request: Type.Object({
    cluster: Type.Optional(clusterId),
    node: nodeId,
    address,
    rack: text(255),
    host: text(255),
    pid: count,
    version: text(40),
    /** Tasks it runs at a time. */
    slots: count,
    storages: Type.Array(storageState, { maxItems: 64 }),
    /** Attempts that still run from an earlier session: kept if the namenode knows them. */
    attempts: Type.Array(attemptId, { maxItems: 1000 }),
    /** The highest that a namenode of this cluster has told this node. */
    seen: Type.Optional(seen),
  }),
  reply: Type.Object({
    cluster: clusterId,
    epoch: count,
    at: Type.Optional(position),
    provisional: Type.Optional(Type.Boolean()),
    session: count,
    /** For how long this namenode has been running; of one that does not say, for no time at all. */
    upMs: Type.Optional(count),
    /** The namenode's time, by which tokens go: milliseconds since 1970, never set back or forth while it runs. */
    nowMs: Type.Optional(instant),
    /** Attempts to kill: their jobs are over or they were given to others. */
    kill: Type.Array(attemptId),
  }),
})

export const beat = message('heartbeat.beat', {
  request: Type.Object({
    node: nodeId, session: count,
    storages: Type.Array(storageState, { maxItems: 64 }),
    /** Wires that are moving blocks now. */
    transfers: count, running: count,
    /** Blocks that it was ordered to remove and has not, for there were too many from so young a namenode. */
    refused: Type.Optional(count),
  }),
  reply: Type.Object({
    epoch: count, at: Type.Optional(position), provisional: Type.Optional(Type.Boolean()), nowMs: Type.Optional(instant),
  }),
})

/** Said while shutting down in good order: no new work, blocks stay. */
export const leave = message('heartbeat.leave', {
  request: Type.Object({ node: nodeId, session: count }),
  reply: Type.Object({ epoch: count }),
})
