// Messages of operators to a namenode: cluster status.

import Type, { type Static } from './schema.ts'
import { limits } from '../base/limits.ts'
import { address, clusterId, count, instant, nodeId, text } from './fields.ts'
import { nodeWork, storageState } from './heartbeat.ts'
import { message } from './message.ts'

const serviceState = Type.Union([
  Type.Literal('in-service'), Type.Literal('decommissioning'), Type.Literal('decommissioned'), Type.Literal('maintenance'),
])

export const nodeStatus = Type.Object({
  node: nodeId,
  address,
  rack: text(255),
  host: text(255),
  pid: count,
  version: text(40),
  /** `away`: would be dead if it were not in maintenance. */
  state: Type.Union([Type.Literal('live'), Type.Literal('stale'), Type.Literal('dead'), Type.Literal('left'), Type.Literal('away')]),
  /** Service state set by an operator; default: in service. */
  service: Type.Optional(serviceState),
  /** End of its maintenance. */
  serviceUntilMs: Type.Optional(instant),
  /**
   * While not in service: its blocks, and the `remaining` ones without enough replicas elsewhere. `short`: blocks with fewer
   * replicas elsewhere than their target because there are not enough datanodes.
   */
  held: Type.Optional(Type.Object({ blocks: count, remaining: count, short: Type.Optional(count) })),
  /** Reason why it is in service although a hosts file excludes it. */
  notDecommissioned: Type.Optional(text(limits.nodeReasonCharsMax)),
  slots: count,
  running: count,
  transfers: count,
  /** Milliseconds since the last heartbeat, on the namenode's monotonic clock. */
  sinceContactMs: count,
  blocks: count,
  storages: Type.Array(storageState),
  /** Blocks that it refuses to delete as ordered, because the namenode has just started. */
  refused: Type.Optional(count),
  /** As its last heartbeat said. */
  done: Type.Optional(nodeWork),
})
export type NodeStatus = Static<typeof nodeStatus>

/** Status of the cluster, for clients and for `gristmill status`. */
export const status = message('admin.status', {
  callers: 'user', unaudited: 'it shows no names or data',
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
    /** Entered by an operator, and lasts until an operator ends it. */
    safeModeManual: Type.Optional(Type.Boolean()),
    /** Reason why this namenode is behind its cluster, and what to do. */
    behind: Type.Optional(text(2000)),
    /** Reason why nothing may be changed yet. */
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
    /** Missing blocks of which corrupt replicas are known. */
    corrupt: Type.Optional(count),
    /** Blocks without a known replica while nodes still have to report. */
    awaited: Type.Optional(count),
    /** Copies ordered and not yet reported, and how many of them are moves of the balancer. */
    pendingReplications: count,
    pendingMoves: Type.Optional(count),
    pendingDeletions: count,
    /** While blocks are moved from full datanodes to empty ones: since when, blocks moved so far, and moves in progress. */
    balancing: Type.Optional(Type.Object({ sinceMs: instant, moves: count, movedBytes: count, pending: count })),
    jobsRunning: count,
    nodes: Type.Array(nodeStatus),
    defaults: Type.Object({ replication: count, blockBytes: count }),
  }),
})
export type ClusterStatus = Static<typeof status.reply>
