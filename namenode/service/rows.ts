// Service state of a datanode, set by operators and kept in the journal beside its address.
//   in-service       default
//   decommissioning  gets nothing new, its replicas do not count and are copied elsewhere; they can be read
//   decommissioned   all its blocks have their replicas elsewhere: it may be switched off
//   maintenance      until a given time it gets nothing new, and its replicas count even while it is away

import { GristmillError } from '../../src/base/errors.ts'
import type { NodeId } from '../../src/base/ids.ts'
import type { Draft } from '../journal/draft.ts'
import { decodeValue, encodeValue } from '../journal/codec.ts'
import { textKey } from '../journal/keys.ts'
import { mutation, type AnyMutation, type Requested } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'

type ServiceState = 'in-service' | 'decommissioning' | 'decommissioned' | 'maintenance'

export interface NodeService {
  readonly state: ServiceState
  /** End of the maintenance in wall-clock time: it survives restarts. */
  readonly untilMs?: number | undefined
  /** `hosts`: set because a hosts file excludes the node, and ended when it does no more; default: an operator's request. */
  readonly by?: 'hosts' | undefined
}

export const inService: NodeService = Object.freeze({ state: 'in-service' })

export const sameService = (a: NodeService, b: NodeService): boolean => a.state === b.state && a.untilMs === b.untilMs && a.by === b.by

interface SetService extends Requested {
  readonly node: NodeId
  readonly service: NodeService
  /** If set: only if the stored state is still this, so that automatic changes do not override an operator. */
  readonly was?: NodeService | undefined
}

/** Service state of a node in the journal. */
export function serviceOf(view: View, node: NodeId): NodeService {
  const bytes = view.get('nodes', textKey(node))
  return (bytes && decodeValue<{ service?: NodeService }>(bytes).service) ?? inService
}

/** Sets the service state; returns true if the state was changed. Throws ENOENT for a node that is not in the journal. */
export const setService = mutation<SetService, boolean>({
  kind: 'nodes.service',
  mutate(draft: Draft, { node, service, was }) {
    const key = textKey(node)
    const bytes = draft.get('nodes', key)
    if (!bytes)
      throw new GristmillError('ENOENT', `the datanode ${node} is not in the namenode's journal; try again when it has registered`, {
        details: { node },
      })
    const { service: before = inService, ...facts } = decodeValue<{ service?: NodeService }>(bytes)
    if (was && !sameService(before, was)) return false
    draft.put('nodes', key, encodeValue({ ...facts, ...service.state !== 'in-service' && { service } }))
    return true
  },
})

export const serviceMutations: readonly AnyMutation[] = [setService]
