// Choice of nodes for new replicas, for writers (writing/targets.ts) and for repair (repair.ts). First replica: on the writer's host if a
// datanode runs there; second: on another rack; third: on the rack of the second. Never two on one node; nodes with free space and few
// transfers are preferred; random among equals. Also the order in which replicas are given up when there are too many (`surplus`). Pure:
// the caller passes the current nodes.

import type { NodeId } from '../../src/base/ids.ts'
import type { Random } from '../../src/ports/random.ts'

export interface Candidate {
  readonly node: NodeId
  readonly rack: string
  readonly host: string
  /** Free bytes of its largest working storage. */
  readonly freeBytes: number
  readonly capacityBytes: number
  /** Block transfers in progress or about to start. */
  readonly transfers: number
  /** True if the node often leaves and returns. */
  readonly unsteady?: boolean
}

export interface PlacementRequest {
  /** Number of replicas to place. */
  readonly count: number
  /** Upper bound of the block's length. */
  readonly blockBytes: number
  /** Host of the writer, if it matters. */
  readonly host?: string | undefined
  /** Nodes that hold a replica, or will. */
  readonly held: readonly Candidate[]
  /** Nodes that must not be chosen. */
  readonly exclude: ReadonlySet<NodeId>
}

/** Fraction of a disk that is kept free for other use. */
const spareFraction = 0.01

export const hasRoom = (node: Pick<Candidate, 'freeBytes' | 'capacityBytes'>, bytes: number): boolean =>
  node.freeBytes - node.capacityBytes * spareFraction >= bytes

/** Returns the chosen nodes in pipeline order; fewer than `count` if there are not enough. */
export function place(nodes: readonly Candidate[], wanted: PlacementRequest, random: Random): Candidate[] {
  const taken = new Set<NodeId>(wanted.held.map(each => each.node))
  const free = nodes.filter(each => !taken.has(each.node) && !wanted.exclude.has(each.node) && hasRoom(each, wanted.blockBytes))
  const chosen: Candidate[] = []
  const all = [...wanted.held]
  while (chosen.length < wanted.count) {
    const next = choose(free.filter(each => !taken.has(each.node)), all, wanted, random)
    if (!next) break
    taken.add(next.node)
    chosen.push(next)
    all.push(next)
  }
  return chosen
}

function choose(free: readonly Candidate[], all: readonly Candidate[], { host }: PlacementRequest, random: Random): Candidate | undefined {
  if (free.length === 0) return undefined
  if (all.length === 0) {
    const own = host === undefined ? [] : free.filter(each => each.host === host)
    return best(own.length > 0 ? own : free, random)
  }
  const racks = new Set(all.map(each => each.rack))
  if (racks.size === 1) {
    // All replicas are in one rack: the next one goes to another, if there is one.
    const elsewhere = free.filter(each => !racks.has(each.rack))
    return best(otherHosts(elsewhere.length > 0 ? elsewhere : free, all), random)
  }
  // Two racks suffice; a copy within the last replica's rack is cheapest. No rack gets more than its share while another has
  // fewer.
  const last = all.at(-1)!.rack
  const share = Math.ceil((all.length + 1) / 2)
  const beside = free.filter(each => each.rack === last && count(all, last) < share)
  if (beside.length > 0) return best(otherHosts(beside, all), random)
  const least = Math.min(...free.map(each => count(all, each.rack)))
  return best(otherHosts(free.filter(each => count(all, each.rack) === least), all), random)
}

export const hostsOf = (nodes: readonly Candidate[]): number => new Set(nodes.map(each => each.host)).size
export const racksOf = (nodes: readonly Candidate[]): number => new Set(nodes.map(each => each.rack)).size

const count = (all: readonly Candidate[], rack: string): number => all.filter(each => each.rack === rack).length

/** Prefers nodes on other hosts: several datanodes may run on one host. */
function otherHosts(nodes: readonly Candidate[], all: readonly Candidate[]): readonly Candidate[] {
  const apart = nodes.filter(each => all.every(other => other.host !== each.host))
  return apart.length > 0 ? apart : nodes
}

/** Draws two nodes at random and takes the better one: load spreads without all writers choosing the emptiest node. */
function best(nodes: readonly Candidate[], random: Random): Candidate | undefined {
  if (nodes.length <= 1) return nodes[0]
  const a = random.below(nodes.length)
  const b = (a + 1 + random.below(nodes.length - 1)) % nodes.length
  return score(nodes[a]!) <= score(nodes[b]!) ? nodes[a] : nodes[b]
}

/** A transfer weighs as much as a fifth of a disk. */
const score = ({ freeBytes, capacityBytes, transfers }: Candidate): number => transfers / 5 + (1 - freeBytes / Math.max(1, capacityBytes))

/**
 * Chooses the excess replica to delete: from the rack with most replicas, then an unsteady node, then the host with most replicas, then
 * a full or busy node.
 */
export function surplus(held: readonly Candidate[], random: Random): Candidate | undefined {
  const most = Math.max(...held.map(each => count(held, each.rack)))
  const near = held.filter(each => count(held, each.rack) === most)
  const crowded = near.some(each => each.unsteady) ? near.filter(each => each.unsteady) : near
  const crowd = Math.max(...crowded.map(each => sameHost(held, each)))
  const rest = crowded.filter(each => sameHost(held, each) === crowd)
  const worst = Math.max(...rest.map(score))
  // Scores within one percent are equal: otherwise all excess replicas of a small cluster would be taken from one node.
  const equals = rest.filter(each => score(each) >= worst - 0.01)
  return equals[random.below(equals.length)]
}

const sameHost = (held: readonly Candidate[], { host }: Candidate): number => held.filter(each => each.host === host).length
