// Network faults between two machines: data is lost, delayed, duplicated, corrupted, or the connection is reset.

import type { Spoil } from '../../kit/contract.ts'
import { lasts, pairOf, type Deeds, type Draw, type Site } from './family.ts'

export type NetworkFault =
  | { readonly kind: 'cut'; readonly node: string; readonly other: string; readonly oneWay: boolean; readonly ms: number }
  | { readonly kind: 'spoil'; readonly node: string; readonly other: string; readonly how: Spoil; readonly ms: number }

export const networkDraws = {
  lossy: (random, nodes) => {
    const [node, other] = nodes.pair()
    return {
      kind: 'spoil', node, other,
      how: { delayMs: random.below(300), reset: random.below(20) / 100, duplicate: random.below(20) / 100 },
      ms: lasts(random, 1_000, 15_000),
    }
  },
  slow: (random, nodes) => {
    const [node, other] = nodes.pair()
    return { kind: 'spoil', node, other, how: { delayMs: 200 + random.below(3_000) }, ms: lasts(random, 1_000, 10_000) }
  },
  corrupt: (random, nodes) => {
    const [node, other] = nodes.pair()
    return { kind: 'spoil', node, other, how: { corrupt: (1 + random.below(20)) / 100 }, ms: lasts(random, 1_000, 10_000) }
  },
  cut: (random, nodes) => {
    const [node, other] = nodes.pair()
    return { kind: 'cut', node, other, oneWay: random.below(2) === 0, ms: lasts(random, 300, 20_000) }
  },
} as const satisfies Record<string, Draw<NetworkFault>>

/** The parties of a copy stay apart until it ends, which heals all of their connection. */
function heal({ cluster, party, apart }: Site, { node, other }: NetworkFault): void {
  if (!apart.has(pairOf(node, other))) cluster.heal(party(node), party(other))
}

export const networkHandlers: Deeds<NetworkFault> = {
  cut: {
    strike({ cluster, party }, { node, other, oneWay }) {
      cluster.cut(party(node), party(other), { oneWay })
      return true
    },
    undo: heal,
  },
  spoil: {
    strike({ cluster, party }, { node, other, how }) {
      cluster.spoil(party(node), party(other), how)
      return true
    },
    undo: heal,
  },
}
