// Replication health of a block and its repair priority, computed from replica counts. Pure. Priority levels, as in HDFS:
//   0  no replica in service, or only one that counts
//   1  less than a third of the target
//   2  less than the target
//   3  enough, but all in one rack although there are others
//   4  no good replica, and bad ones are known: no copy is possible, an operator must look

import type { BlockId } from '../../src/base/ids.ts'

/** Health of a block; stored as its mark in the block table. */
export const health = { open: 0, missing: 1, under: 2, healthy: 3, over: 4, misplaced: 5 } as const
export type Health = (typeof health)[keyof typeof health]

export const levels = 5
export const hopeless = 4
export type Level = 0 | 1 | 2 | 3 | 4

/** Nodes that hold a block and are not dead, by service state. */
export interface ReplicaCounts {
  /** In service. */
  live: number
  /** In maintenance: they count, present or not. */
  inMaintenance: number
  /** Decommissioning or decommissioned: readable, not counted. */
  decommissioning: number
  /** Racks of the counted replicas. */
  racks: number
}

/** A replica as its node reports it. */
export interface ReportedReplica { readonly id: BlockId; readonly length: number; readonly crc: number }

export interface Topology {
  /** Racks in which new replicas could be placed. */
  readonly racks: number
  /** Nodes in maintenance that have not registered since the namenode's start: each may hold a replica of any block. */
  readonly unregistered: number
}

/** Number of replicas to make; 0 if there are enough. At least 1 if only nodes in maintenance hold the block. */
export function lacking({ live, inMaintenance }: ReplicaCounts, target: number, { unregistered }: Topology): number {
  const wanted = Math.max(1, target - unregistered)
  return Math.max(wanted - live - inMaintenance, live === 0 && inMaintenance > 0 ? 1 : 0, 0)
}

export function healthOf(tally: ReplicaCounts, target: number, around: Topology): Health {
  const { live, inMaintenance, decommissioning, racks } = tally
  if (target === 0) return health.open
  if (live + inMaintenance + decommissioning === 0) return health.missing
  if (lacking(tally, target, around) > 0) return health.under
  if (live > target) return health.over
  return target > 1 && live + inMaintenance > 1 && racks === 1 && around.racks > 1 ? health.misplaced : health.healthy
}

/** Repair priority of a block that is `under` or `misplaced`. */
export function levelOf({ live, inMaintenance }: ReplicaCounts, target: number, now: Health): Level {
  const there = live + inMaintenance
  if (now === health.misplaced) return 3
  if (live === 0 || there === 1) return 0
  return there * 3 < target ? 1 : 2
}
