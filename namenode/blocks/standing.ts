// How a block stands, and how much it hurries: pure, from what holds it. The five levels are those of HDFS.
//   0  one replica left that counts, or none but on nodes that are being emptied
//   1  less than a third of what is wanted
//   2  fewer than wanted
//   3  enough, but all in one rack although there are others
//   4  no good replica at all, and bad ones known: nothing can be copied, people must look

/** How a block stands; the block table's mark. */
export const standing = { open: 0, missing: 1, under: 2, full: 3, over: 4, misplaced: 5 } as const
export type Standing = (typeof standing)[keyof typeof standing]

export const levels = 5
export const hopeless = 4
export type Level = 0 | 1 | 2 | 3 | 4

/** Nodes that hold a block and are not dead, by what an operator has said of them. */
export interface Tally {
  /** In service. */
  live: number
  /** In maintenance: they count, there or not. */
  excused: number
  /** Decommissioned, or about to be: they can be read and do not count. */
  leaving: number
  /** Racks of those that count. */
  racks: number
}

export interface Surroundings {
  /** Racks in which new replicas could be placed. */
  readonly racks: number
  /** Nodes in maintenance of which nothing was heard since the namenode's start: each may hold a replica of anything. */
  readonly unheard: number
}

/** Replicas to be made; 0 if there are enough. What the last node in service holds is not enough without another, whoever is excused. */
export function lacking({ live, excused }: Tally, target: number, { unheard }: Surroundings): number {
  const wanted = Math.max(1, target - unheard)
  return Math.max(wanted - live - excused, live === 0 && excused > 0 ? 1 : 0, 0)
}

export function judge(tally: Tally, target: number, around: Surroundings): Standing {
  const { live, excused, leaving, racks } = tally
  if (target === 0) return standing.open
  if (live + excused + leaving === 0) return standing.missing
  if (lacking(tally, target, around) > 0) return standing.under
  if (live > target) return standing.over
  return target > 1 && live + excused > 1 && racks === 1 && around.racks > 1 ? standing.misplaced : standing.full
}

/** Of a block that is `under` or `misplaced`. */
export function levelOf({ live, excused }: Tally, target: number, now: Standing): Level {
  const there = live + excused
  if (now === standing.misplaced) return 3
  if (live === 0 || there === 1) return 0
  return there * 3 < target ? 1 : 2
}
