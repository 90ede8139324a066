// Known datanodes: those that have registered, kept in the journal, so that a restarted namenode knows which to wait for and can show
// missing ones. One that has been dead for long is removed.
// INVARIANT: the last ones stay, unless an operator gives them up: a namenode whose journal names no datanode could not tell that its
// directory is an old copy.

import { nodeId, type NodeId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { Clock } from '../../src/ports/clock.ts'
import { decodeValue, encodeValue } from '../journal/codec.ts'
import type { Journal } from '../journal/journal.ts'
import { textKey } from '../journal/keys.ts'
import { mutation, type AnyMutation, type Requested } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import type { DataNode, KnownNode } from './node.ts'
import type { NodeRegistry } from './registry.ts'

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
export const dropNode = mutation<{ readonly node: NodeId } & Requested, undefined>({
  kind: 'nodes.drop',
  mutate(draft, { node }) {
    draft.remove('nodes', textKey(node))
    return undefined
  },
})

const confirmedKey = textKey('confirmed')

/**
 * Removes nodes that will not come back, as an operator has confirmed: unlike long-dead ones, also the last ones. Nodes with a service
 * state are kept.
 */
const giveUpNodes = mutation<{ nodes: readonly NodeId[] }, undefined>({
  kind: 'nodes.give-up',
  mutate(draft, { nodes }) {
    for (const node of nodes) {
      const bytes = draft.get('nodes', textKey(node))
      if (bytes && !decodeValue<Partial<KnownNode>>(bytes).service) draft.remove('nodes', textKey(node))
    }
    draft.put('meta', confirmedKey, encodeValue(draft.counters.nextBlock))
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
    if (node.session === session) node.note(true)
  }
}

/**
 * Nodes dead for this long are removed: their blocks were copied long ago, and a cluster that is stopped as a whole is started again
 * sooner.
 */
const goneMs = 600_000

/**
 * Chore step that removes long-dead nodes, if a node in service remains. The last `limits.goneNodesMax` of them are shown until this
 * namenode ends, and all are recorded again when they return. Nodes with a service state are kept: a decommissioned node that is switched
 * on again must not serve.
 */
export async function forgetGone({ journal, registry, clock }: { journal: Journal; registry: NodeRegistry; clock: Clock }): Promise<void> {
  const remains = (node: DataNode): boolean => node.noted && node.inService && node.holds
  for (const node of [...registry.all]) {
    if (!node.noted || !node.inService || node.state !== 'dead' || clock.mono() - node.contactMs < goneMs) continue
    if (![...registry.all].some(remains)) break
    node.note(false)
    await journal.submit(dropNode, { node: node.node })
  }
  registry.trim(limits.goneNodesMax)
}

/** Removes nodes that have not registered and will not come back, as an operator has confirmed. */
export async function giveUp(
  { journal, registry }: { journal: Journal; registry: NodeRegistry },
  nodes: readonly NodeId[],
): Promise<void> {
  for (const id of nodes) {
    const node = registry.get(id)
    if (node?.inService) node.note(false)
  }
  await journal.submit(giveUpNodes, { nodes })
}

/** Block id that came next when an operator last confirmed that absent datanodes will not come back; undefined: never. */
export function confirmedBlock(view: Pick<View, 'get'>): number | undefined {
  const bytes = view.get('meta', confirmedKey)
  return bytes && decodeValue<number>(bytes)
}

export const nodeMutations: readonly AnyMutation[] = [noteNode, dropNode, giveUpNodes]
