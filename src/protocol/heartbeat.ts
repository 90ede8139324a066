// Messages of a datanode to its namenode about its life: register once per session, then beat. A session is one registration; the
// namenode answers UNREGISTERED to any other session number, and the node registers again.

import Type, { type Static } from './schema.ts'
import { address, attemptId, clusterId, count, instant, nodeId, storageId, text } from './fields.ts'
import { message } from './message.ts'
import { position, seen } from './position.ts'
import { logLevel, serverSettings } from './server.ts'

export const storageState = Type.Object({
  id: storageId,
  dir: text(4096),
  capacityBytes: count,
  freeBytes: count,
  /** Bytes of blocks and their checksums. */
  usedBytes: count,
  blocks: count,
  failed: Type.Boolean(),
  /** The filesystem that it is on, as its host names it: directories with the same one share its space. */
  filesystem: Type.Optional(text(64)),
  /** Takes no new blocks for now, being read-only; its blocks can be read. */
  closed: Type.Optional(Type.Boolean()),
  /** Deleted blocks kept in the disk's trash; they give way to new ones, so `freeBytes` counts them as free. */
  trashBytes: Type.Optional(count),
  /** Damaged replicas in quarantine. */
  quarantined: Type.Optional(count),
})
export type StorageState = Static<typeof storageState>

/** Work of a datanode since its process began. */
export const nodeWork = Type.Object({
  /** Bytes of replicas sent to readers, and received: each replica of a block counts. */
  readBytes: count,
  writtenBytes: count,
  /** Attempts that have ended, in whatever way. */
  attempts: count,
})
export type NodeWork = Static<typeof nodeWork>

/**
 * Work that datanodes of earlier versions do not know, and are not given. `parts`: a task reads several partitions, or a part of one
 * (taskParts). `drives`: it drives programs. `schedules`: it follows schedules of workflows.
 */
export const nodeFeatures = ['parts', 'drives', 'schedules'] as const
export type NodeFeature = typeof nodeFeatures[number]

/** In bytes. */
export interface NodeMemory { readonly task: number; readonly all: number }

export const register = message('heartbeat.register', {
  callers: 'node',
  request: Type.Object({
    cluster: Type.Optional(clusterId),
    node: nodeId,
    address,
    rack: text(255),
    host: text(255),
    pid: count,
    version: text(40),
    /** Number of tasks it can run at a time. */
    slots: count,
    storages: Type.Array(storageState, { maxItems: 64 }),
    /** Attempts still running from an earlier session: kept if the namenode knows them. */
    attempts: Type.Array(attemptId, { maxItems: 1000 }),
    /** The highest position that a namenode of this cluster has sent to this node. */
    seen: Type.Optional(seen),
    logLevel: Type.Optional(logLevel),
    settings: Type.Optional(serverSettings),
    /** Memory of a task that asks for none, and of all tasks together. Not sent by earlier versions. */
    memory: Type.Optional(Type.Object({ task: count, all: count })),
    /** Programs that it drives at the same time. Not sent by earlier versions. */
    drives: Type.Optional(count),
    /** Missing: none. A later version may name some that the namenode does not know. */
    features: Type.Optional(Type.Array(text(40), { maxItems: 100 })),
  }),
  reply: Type.Object({
    cluster: clusterId,
    epoch: count,
    at: Type.Optional(position),
    provisional: Type.Optional(Type.Boolean()),
    session: count,
    /** Time since this namenode started; missing from older namenodes, and then taken as 0. */
    upMs: Type.Optional(count),
    /** The namenode's time, used for tokens: milliseconds since 1970, never adjusted while it runs. */
    nowMs: Type.Optional(instant),
    /** Attempts to kill: their jobs are over, or they were given to other nodes. */
    kill: Type.Array(attemptId),
  }),
})

export const beat = message('heartbeat.beat', {
  callers: 'node',
  request: Type.Object({
    node: nodeId, session: count,
    storages: Type.Array(storageState, { maxItems: 64 }),
    /** Wires that transfer blocks now. */
    transfers: count, running: count,
    /** Blocks that it refuses to delete as ordered, because there are too many for a recently started namenode. */
    refused: Type.Optional(count),
    /** Not sent by earlier versions. */
    done: Type.Optional(nodeWork),
  }),
  reply: Type.Object({
    epoch: count, at: Type.Optional(position), provisional: Type.Optional(Type.Boolean()), nowMs: Type.Optional(instant),
  }),
})

/** Sent during an orderly shutdown: no new work, blocks stay. */
export const leave = message('heartbeat.leave', {
  callers: 'node',
  request: Type.Object({ node: nodeId, session: count }),
  reply: Type.Object({ epoch: count }),
})
