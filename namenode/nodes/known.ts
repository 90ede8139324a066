// Known datanodes: those that have registered, kept in the journal, so that a restarted namenode knows which to wait for and can show
// missing ones. One that has been dead for long is removed.
// INVARIANT: the last ones stay: a namenode whose journal names no datanode could not tell that its directory is an old copy.

import { nodeId, type NodeId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { NodePlace } from '../../src/protocol/fields.ts'
import { decodeValue, encodeValue } from '../journal/codec.ts'
import type { Journal } from '../journal/journal.ts'
import { textKey } from '../journal/keys.ts'
import { mutation, type AnyMutation } from '../journal/operation.ts'
import { leap } from '../journal/recovered.ts'
import type { View } from '../journal/view.ts'
import type { DataNode } from './node.ts'
import type { NodeRegistry } from './registry.ts'
import { serviceMutations, type NodeService } from './service.ts'

export interface KnownNode extends NodePlace {
  readonly sinceMs: number
  /** State set by an operator; default: in service. */
  readonly service?: NodeService | undefined
}

/** Records a node that registers for the first time, or with a new address, rack or host. */
export const noteNode = mutation<KnownNode, undefined>({
  kind: 'nodes.note',
  mutate(draft, { node, address, rack, host, sinceMs }) {
    const there = draft.get('nodes', textKey(node))
    const { sinceMs: since = sinceMs, service } = there ? decodeValue<Partial<KnownNode>>(there) : {}
    draft.put('nodes', textKey(node), encodeValue({ address, rack, host, sinceMs: since, ...service && { service } }))
    return undefined
  },
})

/** Removes a node that is gone: a restarted namenode no longer waits for it. */
const dropNode = mutation<{ node: NodeId }, undefined>({
  kind: 'nodes.drop',
  mutate(draft, { node }) {
    draft.remove('nodes', textKey(node))
    return undefined
  },
})

export function* knownNodes(view: View): Iterable<KnownNode> {
  for (const { key, value } of view.range('nodes', {}))
    yield { ...decodeValue<Omit<KnownNode, 'node'>>(value), node: nodeId(key.toString()) }
}

/** Records nodes that registered while the namenode could not change anything. */
export async function noteRegistered({
  journal, registry, clock,
}: {
  journal: Journal
  registry: NodeRegistry
  clock: Clock
}): Promise<void> {
  for (const node of [...registry.all]) {
    if (node.noted || !node.holds) continue
    const { session, address, rack, host } = node
    await journal.submit(noteNode, { node: node.node, address, rack, host, sinceMs: Math.floor(clock.now()) })
    if (node.session === session) node.noted = true
  }
}

/**
 * Nodes dead for this long are removed: their blocks were copied long ago, and a cluster that is stopped as a whole is started again
 * sooner.
 */
const goneMs = 600_000

/** Chore step that removes long-dead nodes. */
export async function forgetGone({ clock, ...deps }: { journal: Journal; registry: NodeRegistry; clock: Clock }): Promise<void> {
  await forgetNodes(deps, [...deps.registry.all].filter(node => clock.mono() - node.contactMs >= goneMs))
}

/**
 * Removes those of the nodes that are dead, if a node in service remains. They are shown until this namenode ends, and recorded again
 * when they return. Nodes with a service state are kept: a decommissioned node that is switched on again must not serve.
 */
export async function forgetNodes(
  { journal, registry }: { journal: Journal; registry: NodeRegistry },
  nodes: readonly DataNode[],
): Promise<void> {
  const remains = (node: DataNode): boolean => node.noted && node.inService && node.holds
  for (const node of nodes) {
    if (!node.noted || !node.inService || node.holds || ![...registry.all].some(remains)) continue
    node.noted = false
    await journal.submit(dropNode, { node: node.node })
  }
}

/**
 * True if block ids have been given out, which takes a datanode. Versions before the invariant above may have removed the last one from
 * the journal. Ids that recoveries have skipped do not count; they are multiples of `leap`.
 */
export const hadNodes = ({ counters: { nextBlock } }: Pick<View, 'counters'>): boolean => nextBlock > 1 && (nextBlock - 1) % leap !== 0

export const nodeMutations: readonly AnyMutation[] = [noteNode, dropNode, ...serviceMutations]
