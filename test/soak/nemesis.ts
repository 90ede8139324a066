// What goes wrong during a soak: one fault after the other, each for a few seconds, some at the same time. It keeps its own account, so
// that it never does more than is promised to be survived: one datanode out of order at a time, and no replica is damaged but of a
// block that has all its others, sound, on nodes that come back.

import type { Random } from '../../src/ports/random.ts'
import type { ProcessCluster } from '../kit/process/cluster.ts'
import type { ProcessDataNode } from '../kit/process/node.ts'
import type { Damage } from '../kit/contract.ts'
import type { Counts } from './workload.ts'

const damages: readonly Damage[] = ['flip', 'zero', 'truncate', 'lengthen', 'remove', 'meta']
const replication = 3

export class Nemesis {
  readonly faults: Counts = {}
  /** Blocks that have lost a replica to it. */
  readonly damaged = new Set<string>()
  readonly #cluster: ProcessCluster
  readonly #random: Random
  readonly #say: (what: string) => void

  constructor(cluster: ProcessCluster, random: Random, say: (what: string) => void) {
    this.#cluster = cluster
    this.#random = random
    this.#say = say
  }

  get kills(): number { return (this.faults['kill datanode'] ?? 0) + (this.faults['kill namenode'] ?? 0) }

  async run(signal: AbortSignal): Promise<void> {
    const random = this.#random
    const { namenode, datanodes } = this.#cluster
    const node = (): ProcessDataNode => datanodes[random.below(datanodes.length)]!
    const acts: readonly (readonly [number, string, () => Promise<void>])[] = [
      [8, 'kill datanode', async () => { const one = node(); await one.kill(); await this.#pause(200, 5_000); await one.start() }],
      [4, 'kill namenode', async () => { await namenode.kill(); await this.#pause(50, 1_500); await namenode.start() }],
      [3, 'pause datanode', async () => { const one = node(); one.pause(); await this.#pause(300, 5_000); one.resume() }],
      [1, 'pause namenode', async () => { namenode.pause(); await this.#pause(100, 1_500); namenode.resume() }],
      [2, 'cut a datanode from the namenode', async () => { this.#cluster.cut(node(), namenode, { oneWay: random.below(2) === 0 }); await this.#pause(500, 5_000); this.#cluster.heal() }],
      [1, 'cut two datanodes', async () => { const one = node(); const other = node(); if (one !== other) this.#cluster.cut(one, other); await this.#pause(500, 4_000); this.#cluster.heal() }],
      [2, 'spoil a datanode\'s connections', async () => { this.#cluster.spoil(node(), 'client', { corrupt: 0.05, reset: 0.02, delayMs: random.below(20) }); await this.#pause(1_000, 4_000); this.#cluster.heal() }],
      [1, 'repeat calls', async () => { this.#cluster.spoil(namenode, 'client', { duplicate: 0.3 }); await this.#pause(1_000, 3_000); this.#cluster.heal() }],
      [1, 'fill a disk', async () => { const one = node(); await one.fillDisk(); await this.#pause(500, 4_000); await one.healDisks() }],
      [3, 'damage a replica', () => this.#damage()],
    ]
    const whole = acts.reduce((sum, [weight]) => sum + weight, 0)
    while (!signal.aborted) {
      let at = random.below(whole)
      const [, name, act] = acts.find(([weight]) => (at -= weight) < 0)!
      this.#say(name)
      await act()
      if (name !== 'damage a replica') this.#count(name)
      await this.#pause(100, 1_500)
    }
  }

  async #damage(): Promise<void> {
    const byBlock = Map.groupBy((await Promise.all(this.#cluster.datanodes.map(node => node.replicas()))).flat(), ({ block }) => block)
    const whole = [...byBlock.values()].filter(replicas => replicas.length >= replication && !this.damaged.has(replicas[0]!.block))
    const chosen = whole[this.#random.below(Math.max(1, whole.length))]
    if (!chosen) return
    const kind = damages[this.#random.below(damages.length)]!
    const [victim, ...others] = chosen
    if (!(await Promise.all(others.map(replica => replica.sound()))).every(Boolean)) return
    this.damaged.add(victim!.block)
    // It may be deleted at this very moment.
    await victim!.damage(kind).then(() => this.#count(`damage: ${kind}`), () => {})
  }

  #count(what: string): void { this.faults[what] = (this.faults[what] ?? 0) + 1 }
  #pause(minMs: number, maxMs: number): Promise<void> { return this.#cluster.advance(minMs + this.#random.below(maxMs - minMs)) }
}
