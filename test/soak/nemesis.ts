// Faults of a soak: one after the other, each for a few seconds, some at the same time. It stays within the faults that the product
// promises to survive: one datanode out of order at a time (a power cut, which takes no data, may hit all), a replica is damaged only if
// all other replicas of its block are sound, and no disk with the only replica of a block is wiped.

import type { Random } from '../../src/ports/random.ts'
import type { ProcessCluster } from '../kit/process/cluster.ts'
import type { ProcessDataNode, ProcessNode } from '../kit/process/node.ts'
import type { Damage, Replica } from '../kit/contract.ts'
import type { Counts } from './workload.ts'

const damages: readonly Damage[] = ['flip', 'zero', 'truncate', 'lengthen', 'remove', 'meta']
const replication = 3

/** Weight, name and action of a fault. */
type Act = readonly [number, string, () => Promise<void>]

export class Nemesis {
  readonly faults: Counts = {}
  /** Blocks with a replica that it damaged. */
  readonly damaged = new Set<string>()
  readonly #cluster: ProcessCluster
  readonly #random: Random
  readonly #say: (what: string) => void
  readonly #powerCuts: boolean
  /** Faults that count themselves, by their actual effect. */
  readonly #counted = new Set(['damage a replica', 'wipe a datanode', 'fail a sync'])

  constructor(cluster: ProcessCluster, random: Random, { say, powerCuts }: { say: (what: string) => void; powerCuts: boolean }) {
    this.#cluster = cluster
    this.#random = random
    this.#say = say
    this.#powerCuts = powerCuts
  }

  /** Number of processes ended by force. */
  get kills(): number {
    const of = (what: string): number => this.faults[what] ?? 0
    return (
      of('kill datanode')
      + of('kill namenode')
      + of('cut the power of a datanode')
      + of('cut the power of the namenode')
      + of('cut the power of all nodes') * (this.#cluster.datanodes.length + 1)
    )
  }

  async run(signal: AbortSignal): Promise<void> {
    const random = this.#random
    const { namenode, datanodes } = this.#cluster
    const node = (): ProcessDataNode => datanodes[random.below(datanodes.length)]!
    const acts: readonly Act[] = [
      [
        8, 'kill datanode',
        async () => {
          const one = node()
          await one.kill()
          await this.#pause(200, 5_000)
          await one.start()
        },
      ],
      [
        4, 'kill namenode',
        async () => {
          await namenode.kill()
          await this.#pause(50, 1_500)
          await namenode.start()
        },
      ],
      [
        3, 'pause datanode',
        async () => {
          const one = node()
          one.pause()
          await this.#pause(300, 5_000)
          one.resume()
        },
      ],
      [
        1, 'pause namenode',
        async () => {
          namenode.pause()
          await this.#pause(100, 1_500)
          namenode.resume()
        },
      ],
      [
        2, 'cut a datanode from the namenode',
        async () => {
          this.#cluster.cut(node(), namenode, { oneWay: random.below(2) === 0 })
          await this.#pause(500, 5_000)
          this.#cluster.heal()
        },
      ],
      [
        1, 'cut two datanodes',
        async () => {
          const one = node()
          const other = node()
          if (one !== other) this.#cluster.cut(one, other)
          await this.#pause(500, 4_000)
          this.#cluster.heal()
        },
      ],
      [
        2, "spoil a datanode's connections",
        async () => {
          this.#cluster.spoil(node(), 'client', { corrupt: 0.05, reset: 0.02, delayMs: random.below(20) })
          await this.#pause(1_000, 4_000)
          this.#cluster.heal()
        },
      ],
      [
        1, 'repeat calls',
        async () => {
          this.#cluster.spoil(namenode, 'client', { duplicate: 0.3 })
          await this.#pause(1_000, 3_000)
          this.#cluster.heal()
        },
      ],
      [
        1, 'fill a disk',
        async () => {
          const one = node()
          await one.fillDisk()
          await this.#pause(500, 4_000)
          await one.healDisks()
        },
      ],
      [
        1, 'make a disk read-only',
        async () => {
          const one = node()
          await one.lockDisk()
          await this.#pause(500, 4_000)
          await one.healDisks()
        },
      ],
      [1, 'fail a sync', () => this.#failSync(node())], [3, 'damage a replica', () => this.#damage()],
      [1, 'wipe a datanode', () => this.#wipe(node())], ...(this.#powerCuts ? this.#cuts() : []),
    ]
    const whole = acts.reduce((sum, [weight]) => sum + weight, 0)
    while (!signal.aborted) {
      let at = random.below(whole)
      const [, name, act] = acts.find(([weight]) => (at -= weight) < 0)!
      this.#say(name)
      await act()
      if (!this.#counted.has(name)) this.#count(name)
      await this.#pause(100, 1_500)
    }
  }

  #cuts(): readonly Act[] {
    const { namenode, datanodes } = this.#cluster
    const cut = (nodes: () => readonly ProcessNode[]) => async (): Promise<void> => {
      const dark = nodes()
      await this.#cluster.powerCut(dark, { freeze: this.#random.below(2) === 0 })
      await this.#pause(50, 3_000)
      await Promise.all(dark.map(one => one.start()))
    }
    return [
      [3, 'cut the power of a datanode', cut(() => [datanodes[this.#random.below(datanodes.length)]!])],
      [2, 'cut the power of the namenode', cut(() => [namenode])],
      [1, 'cut the power of all nodes', cut(() => [namenode, ...datanodes])],
    ]
  }

  /** The process ends at its next sync, if one comes in time. */
  async #failSync(one: ProcessDataNode): Promise<void> {
    await one.failSync()
    await this.#pause(500, 2_000)
    await one.healDisks().catch(() => {}) // it is ending
    await this.#pause(500, 1_000)
    this.#count(one.running ? 'arm a sync that did not come' : 'fail a sync')
    await one.start()
  }

  /** Wipes it after a kill, so that it receives no new replicas, and only if all its blocks are sound in all their other replicas. */
  async #wipe(one: ProcessDataNode): Promise<void> {
    await one.kill()
    const elsewhere = Map.groupBy((await this.#replicas()).filter(replica => replica.node !== one), ({ block }) => block)
    const alone = await Promise.all((await one.replicas()).map(async ({ block }) => {
      const others = elsewhere.get(block) ?? []
      return others.length === 0 || !(await Promise.all(others.map(other => other.sound()))).every(Boolean)
    }))
    if (alone.includes(true)) this.#count('a wipe would have taken a last copy, and was left out')
    else {
      await one.wipe()
      this.#count('wipe a datanode')
    }
    await one.start()
  }

  async #replicas(): Promise<Replica[]> { return (await Promise.all(this.#cluster.datanodes.map(node => node.replicas()))).flat() }

  async #damage(): Promise<void> {
    const byBlock = Map.groupBy(await this.#replicas(), ({ block }) => block)
    const whole = [...byBlock.values()].filter(replicas => replicas.length >= replication && !this.damaged.has(replicas[0]!.block))
    const chosen = whole[this.#random.below(Math.max(1, whole.length))]
    if (!chosen) return
    const kind = damages[this.#random.below(damages.length)]!
    const [victim, ...others] = chosen
    if (!(await Promise.all(others.map(replica => replica.sound()))).every(Boolean)) return
    this.damaged.add(victim!.block)
    // The node may delete it at this moment.
    await victim!.damage(kind).then(() => this.#count(`damage: ${kind}`), () => {})
  }

  #count(what: string): void { this.faults[what] = (this.faults[what] ?? 0) + 1 }
  #pause(minMs: number, maxMs: number): Promise<void> { return this.#cluster.advance(minMs + this.#random.below(maxMs - minMs)) }
}
