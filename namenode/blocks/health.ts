// How a block stands, and how much it hurries: pure, from what holds it. The five levels are those of HDFS.
//   0  one replica left that counts, or none but on nodes that are being emptied
//   1  less than a third of what is wanted
//   2  fewer than wanted
//   3  enough, but all in one rack although there are others
//   4  no good replica at all, and bad ones known: nothing can be copied, people must look

/** How a block stands; the block table's mark. */
export const health = { open: 0, missing: 1, under: 2, full: 3, over: 4, misplaced: 5 } as const
export type Health = (typeof health)[keyof typeof health]

export const levels = 5
export const hopeless = 4
export type Level = 0 | 1 | 2 | 3 | 4

/** Nodes that hold a block and are not dead, by what an operator has said of them. */
export interface ReplicaCounts {
  /** In service. */
  live: number
  /** In maintenance: they count, there or not. */
  inMaintenance: number
  /** Decommissioned, or about to be: they can be read and do not count. */
  decommissioning: number
  /** Racks of those that count. */
  racks: number
}

export interface Topology {
  /** Racks in which new replicas could be placed. */
  readonly racks: number
  /** Nodes in maintenance of which nothing was heard since the namenode's start: each may hold a replica of anything. */
  readonly unheard: number
}

/** Replicas to be made; 0 if there are enough. What the last node in service holds is not enough without another, whoever is excused. */
export function lacking({ live, inMaintenance }: ReplicaCounts, target: number, { unheard }: Topology): number {
  const wanted = Math.max(1, target - unheard)
  return Math.max(wanted - live - inMaintenance, live === 0 && inMaintenance > 0 ? 1 : 0, 0)
}

export function healthOf(tally: ReplicaCounts, target: number, around: Topology): Health {
  const { live, inMaintenance, decommissioning, racks } = tally
  if (target === 0) return health.open
  if (live + inMaintenance + decommissioning === 0) return health.missing
  if (lacking(tally, target, around) > 0) return health.under
  if (live > target) return health.over
  return target > 1 && live + inMaintenance > 1 && racks === 1 && around.racks > 1 ? health.misplaced : health.full
}

/** Of a block that is `under` or `misplaced`. */
export function levelOf({ live, inMaintenance }: ReplicaCounts, target: number, now: Health): Level {
  const there = live + inMaintenance
  if (now === health.misplaced) return 3
  if (live === 0 || there === 1) return 0
  return there * 3 < target ? 1 : 2
}
