// Datanodes that have ever registered, in the journal: so that a restarted namenode knows whom to wait for, and shows
// those that do not come back.

import { nodeId, type NodeId } from '../../src/base/ids.ts'
import type { NodePlace } from '../../src/protocol/fields.ts'
import { decodeValue, encodeValue } from '../journal/codec.ts'
import { textKey } from '../journal/keys.ts'
import { mutation, type AnyMutation } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'

export interface KnownNode extends NodePlace { readonly sinceMs: number }

/** A node came for the first time, or with another address, rack or host. */
export const noteNode = mutation<KnownNode, undefined>({
  kind: 'nodes.note',
  mutate(draft, { node, address, rack, host, sinceMs }) {
    const there = draft.get('nodes', textKey(node))
    const since = there ? decodeValue<KnownNode>(there).sinceMs : sinceMs
    draft.put('nodes', textKey(node), encodeValue({ address, rack, host, sinceMs: since }))
    return undefined
  },
})

/** A node is not expected any more. */
export const dropNode = mutation<{ node: NodeId }, undefined>({
  kind: 'nodes.drop',
  mutate(draft, { node }) {
    draft.remove('nodes', textKey(node))
    return undefined
  },
})

export function* knownNodes(view: View): Iterable<KnownNode> {
  for (const { key, value } of view.range('nodes', {})) yield { ...decodeValue<Omit<KnownNode, 'node'>>(value), node: nodeId(key.toString()) }
}

export const nodeMutations: readonly AnyMutation[] = [noteNode, dropNode]
