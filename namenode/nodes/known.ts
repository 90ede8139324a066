// Datanodes that have ever registered, in the journal: so that a restarted namenode knows whom to wait for, and shows
// those that do not come back.

import { nodeId, type NodeId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { NodePlace } from '../../src/protocol/fields.ts'
import { decodeValue, encodeValue } from '../journal/codec.ts'
import type { Journal } from '../journal/journal.ts'
import { textKey } from '../journal/keys.ts'
import { mutation, type AnyMutation } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import type { NodeRegistry } from './registry.ts'
import { serviceMutations, type NodeService } from './service.ts'

export interface KnownNode extends NodePlace {
  readonly sinceMs: number
  /** What operators have said of it; in service if nothing. */
  readonly service?: NodeService | undefined
}

/** A node came for the first time, or with another address, rack or host. */
export const noteNode = mutation<KnownNode, undefined>({
  kind: 'nodes.note',
  mutate(draft, { node, address, rack, host, sinceMs }) {
    const there = draft.get('nodes', textKey(node))
    const { sinceMs: since = sinceMs, service } = there ? decodeValue<Partial<KnownNode>>(there) : {}
    draft.put('nodes', textKey(node), encodeValue({ address, rack, host, sinceMs: since, ...service && { service } }))
    return undefined
  },
})

/** A node has been gone for long: a restarted namenode does not wait for it any more. */
export const dropNode = mutation<{ node: NodeId }, undefined>({
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

/** Notes the nodes that have registered while nothing could be changed. */
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

/** Dead for this long is gone: its blocks were copied long ago, and whoever stops all of a cluster for a while starts it again sooner. */
const goneMs = 600_000

/**
 * Forgets nodes that are gone. They are still shown until this namenode ends, and noted again if they come back. What an
 * operator has said of a node is not forgotten: a decommissioned one that is switched on again must not serve.
 */
export async function forgetGone({ journal, registry, clock }: { journal: Journal; registry: NodeRegistry; clock: Clock }): Promise<void> {
  for (const node of [...registry.all]) {
    if (!node.noted || !node.inService || node.state !== 'dead' || clock.mono() - node.contactMs < goneMs) continue
    node.noted = false
    await journal.submit(dropNode, { node: node.node })
  }
}

export const nodeMutations: readonly AnyMutation[] = [noteNode, dropNode, ...serviceMutations]
