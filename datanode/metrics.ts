// What /metrics says about a datanode beside its calls. Read when somebody asks; nothing is counted twice.

import type { Registry } from '../src/rpc/metrics.ts'
import type { StorageState } from '../src/protocol/heartbeat.ts'
import type { Contact } from './heartbeat/contact.ts'
import type { Orders } from './order/orders.ts'
import type { Transfers } from './transfer/transfers.ts'
import type { Store } from './store/store.ts'

interface Parts { readonly store: Store; readonly transfers: Transfers; readonly contact: Contact; readonly orders: Orders }
type Values = Array<{ labels: Record<string, string>; value: number }>

export function exposeDatanode(registry: Registry, { store, transfers, contact, orders }: Parts): void {
  const metric = (name: string, help: string, type: 'counter' | 'gauge', values: () => Values | Promise<Values>): void => {
    registry.registerMetric({ name, help, type, aggregator: 'sum', get: async () => ({ name, help, type, aggregator: 'sum', values: await values() }), reset() {} } as never)
  }
  const one = (value: number): Values => [{ labels: {}, value }]
  const perStorage = (pick: (state: StorageState) => number) => async (): Promise<Values> =>
    (await store.state()).map(state => ({ labels: { dir: state.dir }, value: pick(state) }))
  metric('gristmill_blocks', 'Sealed blocks of this node', 'gauge', () => one(store.blocks))
  metric('gristmill_storage_capacity_bytes', 'Size of the filesystem', 'gauge', perStorage(state => state.capacityBytes))
  metric('gristmill_storage_free_bytes', 'Room for new blocks', 'gauge', perStorage(state => state.freeBytes))
  metric('gristmill_storage_used_bytes', 'Blocks and their meta files', 'gauge', perStorage(state => state.usedBytes))
  metric('gristmill_storage_failed', '1 if the directory refused a sync', 'gauge', perStorage(state => Number(state.failed)))
  metric('gristmill_transfers_in_flight', 'Operations on wires that move bytes now', 'gauge', () => one(transfers.active))
  metric('gristmill_transfer_bytes_total', 'Bytes of blocks moved over wires', 'counter', () => [
    { labels: { direction: 'in' }, value: transfers.bytesIn },
    { labels: { direction: 'out' }, value: transfers.bytesOut },
  ])
  metric('gristmill_transfers_total', 'Operations on wires', 'counter', () => [
    { labels: { op: 'write' }, value: transfers.writes },
    { labels: { op: 'read' }, value: transfers.reads },
  ])
  metric('gristmill_transfer_failures_total', 'Operations on wires that failed or were refused', 'counter', () => one(transfers.failures))
  metric('gristmill_blocks_copied_total', 'Blocks copied to other nodes by order', 'counter', () => one(orders.copied))
  metric('gristmill_registrations_total', 'Sessions with the namenode', 'counter', () => one(contact.sessions))
}
