// Known datanodes: all that have ever registered, kept in the journal, so that a restarted namenode knows which to wait for
// and can show missing ones.

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

/** Removes a node that has been dead for long: a restarted namenode no longer waits for it. */
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

/**
 * Chore step that removes long-dead nodes. They are shown until this namenode ends, and recorded again when they return. Nodes with a
 * service state are kept: a decommissioned node that is switched on again must not serve.
 */
export async function forgetGone({ journal, registry, clock }: { journal: Journal; registry: NodeRegistry; clock: Clock }): Promise<void> {
  for (const node of [...registry.all]) {
    if (!node.noted || !node.inService || node.state !== 'dead' || clock.mono() - node.contactMs < goneMs) continue
    node.noted = false
    await journal.submit(dropNode, { node: node.node })
  }
}

export const nodeMutations: readonly AnyMutation[] = [noteNode, dropNode, ...serviceMutations]
