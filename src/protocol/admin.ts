// What operators ask of a namenode.

import Type, { type Static } from './schema.ts'
import { address, clusterId, count, instant, nodeId, text } from './fields.ts'
import { storageState } from './heartbeat.ts'
import { message } from './message.ts'

export const serviceState = Type.Union([
  Type.Literal('in-service'), Type.Literal('decommissioning'), Type.Literal('decommissioned'), Type.Literal('maintenance'),
])

export const nodeStatus = Type.Object({
  node: nodeId,
  address,
  rack: text(255),
  host: text(255),
  pid: count,
  version: text(40),
  /** `away`: dead, if it were not in maintenance. */
  state: Type.Union([Type.Literal('live'), Type.Literal('stale'), Type.Literal('dead'), Type.Literal('left'), Type.Literal('away')]),
  /** What operators have said of it; in service if nothing. */
  service: Type.Optional(serviceState),
  /** When its maintenance is over. */
  serviceUntilMs: Type.Optional(instant),
  /**
   * While it is not in service: its blocks, and those of them that it cannot be missed for yet. `short`: those that have fewer copies
   * elsewhere than their files want, because there are no more datanodes for them.
   */
  held: Type.Optional(Type.Object({ blocks: count, remaining: count, short: Type.Optional(count) })),
  slots: count,
  running: count,
  transfers: count,
  /** Milliseconds since the last heartbeat, on the namenode's monotonic clock. */
  sinceContactMs: count,
  blocks: count,
  storages: Type.Array(storageState),
  /** Blocks that it was ordered to remove and has not yet, because the namenode has just started. */
  refused: Type.Optional(count),
})
export type NodeStatus = Static<typeof nodeStatus>

/** What clients need to know of a cluster, and what `gristmill status` shows. */
export const status = message('admin.status', {
  request: Type.Object({}),
  reply: Type.Object({
    cluster: clusterId,
    /** The namenode's own id, as stamped into its directory. */
    id: Type.Optional(text(64)),
    epoch: count,
    version: text(40),
    pid: count,
    address,
    dir: text(4096),
    startedMs: instant,
    nowMs: instant,
    safeMode: Type.Boolean(),
    /** An operator has said so: it lasts until he says otherwise. */
    safeModeManual: Type.Optional(Type.Boolean()),
    /** Why this namenode is behind its cluster, and what to do. */
    behind: Type.Optional(text(2000)),
    /** Why nothing may be changed yet. */
    doubt: Type.Optional(text(2000)),
    files: count,
    directories: count,
    blocks: count,
    /** Blocks with no, with too few, and with too many live replicas. */
    missing: count,
    underReplicated: count,
    overReplicated: count,
    /** Enough replicas, all of them in one rack although there are others. */
    misplaced: Type.Optional(count),
    /** Of those that are missing: bad replicas are known. */
    corrupt: Type.Optional(count),
    /** No replica is known yet, and nodes are still to report. */
    awaited: Type.Optional(count),
    /** Copies ordered and not yet reported. */
    pendingReplications: count,
    pendingDeletions: count,
    jobsRunning: count,
    nodes: Type.Array(nodeStatus),
    defaults: Type.Object({ replication: count, blockBytes: count }),
  }),
})
export type ClusterStatus = Static<typeof status.reply>
