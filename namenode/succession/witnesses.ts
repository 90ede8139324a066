// Witnesses of a namenode that has just started: the datanodes in its journal, except decommissioned ones. One of them that was in use
// after the namenode's directory was copied remembers more than the copy contains (evidence.ts). Decides whether enough of them have
// registered for the namenode to take itself for the latest. One of these suffices:
//   all of them have registered
//   one that remembers this directory's history has registered, and since then the others have had the time (`nodeDead`) after which a
//     datanode without heartbeats is dead
//   the journal has never had a datanode
// A datanode that is not in the journal (new, or decommissioned) proves nothing, and neither does one that remembers nothing.
// A namenode that has given out block ids and has no witness, because a version before this rule has removed its last datanode from the
// journal, waits for any datanode that remembers its history.

import type { NodeId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { View } from '../journal/view.ts'
import { confirmedBlock } from '../nodes/known.ts'
import type { Evidence } from './evidence.ts'
import { leap } from './recovered.ts'

interface WitnessesOptions {
  readonly witnesses: readonly NodeId[]
  /** True if datanodes have registered with earlier processes. */
  readonly hadNodes: boolean
  /** Clock without pauses of this process: messages that arrived during a pause are still unread. */
  readonly awake: Pick<Clock, 'mono'>
  readonly nodeDeadMs: number
}

/** Bound of datanode ids named in a message. */
const namedMax = 5

const named = (ids: ReadonlySet<NodeId>): string => [...ids].slice(0, namedMax).join(', ') + (ids.size > namedMax ? ' …' : '')

/**
 * True if block ids have been given out, which takes a datanode, since the start or since an operator has given up all datanodes.
 * Earlier versions may have removed the last one from the journal. Ids that recoveries have skipped do not count; they are multiples of
 * `leap`.
 */
export function hadNodes(view: Pick<View, 'counters' | 'get'>): boolean {
  const { nextBlock } = view.counters
  const from = confirmedBlock(view) ?? 1
  return nextBlock > from && (nextBlock - from) % leap !== 0
}

export class Witnesses {
  readonly #options: WitnessesOptions
  readonly #all: ReadonlySet<NodeId>
  /** Those that have not registered yet. */
  readonly #missing: Set<NodeId>
  /** Datanodes that registered and are no witnesses. */
  readonly #others = new Set<NodeId>()
  /** Datanodes that were refused because they have seen a namenode of which there is no record. */
  readonly #strange = new Set<NodeId>()
  /** Time at which the first datanode registered that remembers this directory's history. */
  #rememberedMs: number | undefined

  constructor(options: WitnessesOptions) {
    this.#options = options
    this.#all = new Set(options.witnesses)
    this.#missing = new Set(options.witnesses)
  }

  /** A datanode registers that has not seen more than this namenode's history. */
  registered(node: NodeId, verdict: Evidence['verdict']): void {
    this.#missing.delete(node)
    if (!this.#all.has(node)) this.#others.add(node)
    if (verdict === 'own' && (this.#all.has(node) || this.#all.size === 0)) this.#rememberedMs ??= this.#options.awake.mono()
  }

  /** A datanode is refused that has seen a namenode of which there is no record. */
  refused(node: NodeId): void { this.#strange.add(node) }

  get missing(): NodeId[] { return [...this.#missing] }

  get enough(): boolean {
    const { hadNodes, awake, nodeDeadMs } = this.#options
    if (this.#missing.size === 0 && (this.#all.size > 0 || !hadNodes)) return true
    return this.#rememberedMs !== undefined && awake.mono() - this.#rememberedMs >= nodeDeadMs
  }

  /** Missing evidence, and what ends the wait. `sureEpoch`: last epoch in which a namenode of this directory made changes. */
  why(sureEpoch: number): string {
    const seconds = Math.ceil(this.#options.nodeDeadMs / 1000)
    const known = this.#all.size
    const end = known === 0
      ? `${seconds} s after a datanode has registered that remembers this namenode`
      : known === 1 ? 'when it has registered'
      : `when all of them have registered, or ${seconds} s after one has that remembers this namenode`
    return `${this.#cause(sureEpoch)}, so that it cannot tell whether its directory is an old copy: reads work, and nothing can be changed. `
      + `It ends ${end}; if ${known === 1 ? 'it will not' : 'none of them will'} come back, and only then, say \`gristmill safemode leave\``
  }

  #cause(sureEpoch: number): string {
    if (this.#strange.size > 0) return `datanodes (${named(this.#strange)}) have seen a namenode of which this one has no record`
    const known = this.#all.size
    const there = known - this.#missing.size
    const what = known === 0 ? 'this namenode has given out block ids and knows no datanode any more'
      : known === 1 ? `the datanode that this namenode knows (${named(this.#missing)}) has not registered since it started`
      : `${there === 0 ? 'none' : there} of the ${known} datanodes that this namenode knows ${there <= 1 ? 'has' : 'have'} registered ` +
        `since it started (missing: ${named(this.#missing)}; it last changed anything in epoch ${sureEpoch})`
    return this.#others.size === 0 ? what : `${what}, and ${named(this.#others)}, which it does not know, cannot tell it more`
  }
}
