// What may go wrong in a run, by profile, drawn from a stream of random numbers. Each seed uses only some kinds of its profile:
// a storm of everything hides what a few faults in the right order would show.

import { failpoints } from '../../src/base/failpoints.ts'
import { shuffled, type Random } from '../../src/ports/random.ts'
import type { Damage } from '../kit/contract.ts'
import type { Fault, FaultAction } from './plan.ts'

type Draw = (random: Random, nodes: Nodes) => FaultAction
interface Nodes { any(): string; datanode(): string; pair(): [string, string] }

const lasts = (random: Random, least: number, most: number): number => least + random.below(most - least)
const damages: readonly (Damage | 'swap')[] = ['flip', 'zero', 'truncate', 'lengthen', 'remove', 'unreadable', 'meta', 'swap']

const kinds = {
  kill: (random, nodes) => ({ kind: 'kill', node: nodes.any(), ms: lasts(random, 100, 20_000) }),
  stop: (random, nodes) => ({ kind: 'stop', node: nodes.datanode(), ms: lasts(random, 100, 15_000) }),
  powerCut: (random, nodes) => ({ kind: 'powerCut', node: nodes.any(), ms: lasts(random, 500, 15_000) }),
  pause: (random, nodes) => ({ kind: 'pause', node: nodes.any(), ms: lasts(random, 200, 14_000) }),
  failpoint: (random, nodes) => {
    const point = failpoints[random.below(failpoints.length)]!
    const node = point.startsWith('block.') ? nodes.datanode() : 'namenode'
    return { kind: 'failpoint', node, point, action: 'kill', nth: 1 + random.below(5), ms: lasts(random, 500, 8_000) }
  },
  lossy: (random, nodes) => {
    const [node, other] = nodes.pair()
    return { kind: 'spoil', node, other, how: { delayMs: random.below(300), reset: random.below(20) / 100, duplicate: random.below(20) / 100 }, ms: lasts(random, 1_000, 15_000) }
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
  damage: (random, nodes) => ({ kind: 'damage', node: nodes.datanode(), pick: random.below(1000), how: damages[random.below(damages.length)]! }),
  failSync: (random, nodes) => ({ kind: 'failSync', node: nodes.any(), nth: 1 + random.below(6), ms: lasts(random, 500, 8_000) }),
  fillDisk: (random, nodes) => ({ kind: 'fillDisk', node: nodes.any(), ms: lasts(random, 500, 10_000) }),
  wipe: (random, nodes) => ({ kind: 'wipe', node: nodes.datanode(), ms: lasts(random, 100, 5_000) }),
} as const satisfies Record<string, Draw>

export const profiles = {
  calm: [],
  lossy: ['lossy', 'slow', 'corrupt'],
  crashy: ['kill', 'stop', 'pause', 'failpoint', 'powerCut'],
  rot: ['damage', 'failSync', 'fillDisk'],
  partition: ['cut', 'slow', 'pause'],
  operator: ['wipe', 'stop', 'kill'],
  all: Object.keys(kinds) as (keyof typeof kinds)[],
} as const satisfies Record<string, readonly (keyof typeof kinds)[]>
export type Profile = keyof typeof profiles

export function faultsOf(random: Random, { profile, datanodes, lastsMs }: { profile: Profile; datanodes: number; lastsMs: number }): Fault[] {
  const allowed = profiles[profile]
  if (allowed.length === 0) return []
  const used = shuffled<keyof typeof kinds>(allowed, random).slice(0, 1 + random.below(Math.min(allowed.length, 4)))
  const datanode = (): string => `datanode${1 + random.below(datanodes)}`
  const any = (): string => (random.below(4) === 0 ? 'namenode' : datanode())
  const pair = (): [string, string] => {
    const from = any()
    for (;;) {
      const to = random.below(3) === 0 ? 'client' : any()
      if (to !== from) return [from, to]
    }
  }
  const count = 1 + random.below(10)
  return Array.from({ length: count }, () => ({ atMs: random.below(lastsMs), action: kinds[used[random.below(used.length)]!](random, { any, datanode, pair }) }))
    .sort((a, b) => a.atMs - b.atMs)
}
