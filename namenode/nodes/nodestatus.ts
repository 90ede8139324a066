// Converts a datanode's state to its protocol form for clients and operators.

import type { Clock } from '../../src/ports/clock.ts'
import type { NodeStatus } from '../../src/protocol/admin.ts'
import type { DataNode } from './node.ts'

export function nodeStatus(node: DataNode, clock: Clock): NodeStatus {
  const { address, rack, host, pid, version, state, service, slots, running, transfers, blocks, held, done, notDecommissioned } = node
  return {
    node: node.node, address, rack, host, pid, version, state, slots, running, transfers, blocks,
    service: service.state, ...service.untilMs !== undefined && { serviceUntilMs: service.untilMs }, ...held && { held },
    ...notDecommissioned !== undefined && { notDecommissioned },
    sinceContactMs: Math.max(0, Math.round(clock.mono() - node.contactMs)),
    storages: [...node.storages],
    ...node.refused > 0 && { refused: node.refused }, ...done && { done },
  }
}
