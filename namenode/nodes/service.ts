// Whether a datanode serves, as operators have said; in the journal, beside its address.
//   in-service       as every node is until somebody says otherwise
//   decommissioning  it gets nothing new, its replicas do not count, and what lies on it is copied elsewhere; it is read from
//   decommissioned   all that it holds has its replicas elsewhere: it may be switched off
//   maintenance      until a time, it gets nothing new, and its replicas count even while it is away

import { GristmillError } from '../../src/base/errors.ts'
import type { NodeId } from '../../src/base/ids.ts'
import type { Draft } from '../journal/draft.ts'
import { decodeValue, encodeValue } from '../journal/codec.ts'
import { textKey } from '../journal/keys.ts'
import { mutation, type AnyMutation, type Requested } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'

export type ServiceState = 'in-service' | 'decommissioning' | 'decommissioned' | 'maintenance'

export interface NodeService {
  readonly state: ServiceState
  /** When a maintenance is over, on the clock of the day: it is kept over restarts. */
  readonly untilMs?: number | undefined
}

export const inService: NodeService = Object.freeze({ state: 'in-service' })

export const sameService = (a: NodeService, b: NodeService): boolean => a.state === b.state && a.untilMs === b.untilMs

export interface SetService extends Requested {
  readonly node: NodeId
  readonly service: NodeService
  /** Only if it is still this: for what the namenode does by itself, an operator may have said something else meanwhile. */
  readonly was?: NodeService | undefined
}

/** What the journal says of a node. */
export function serviceOf(view: View, node: NodeId): NodeService {
  const bytes = view.get('nodes', textKey(node))
  return (bytes && decodeValue<{ service?: NodeService }>(bytes).service) ?? inService
}

/** The result is whether anything was changed. Throws ENOENT for a node that is not in the journal. */
export const setService = mutation<SetService, boolean>({
  kind: 'nodes.service',
  mutate(draft: Draft, { node, service, was }) {
    const key = textKey(node)
    const bytes = draft.get('nodes', key)
    if (!bytes)
      throw new GristmillError('ENOENT', `the datanode ${node} is not in the namenode's journal; ask again when it has registered`, {
        details: { node },
      })
    const { service: before = inService, ...facts } = decodeValue<{ service?: NodeService }>(bytes)
    if (was && !sameService(before, was)) return false
    draft.put('nodes', key, encodeValue({ ...facts, ...service.state !== 'in-service' && { service } }))
    return true
  },
})

export const serviceMutations: readonly AnyMutation[] = [setService]
