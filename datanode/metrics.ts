// Metrics of a datanode beside those of its calls, for /metrics. Values are read from their owners at each scrape; no counter is kept
// here.

import type { Registry } from '../src/rpc/metrics.ts'
import type { StorageState } from '../src/protocol/heartbeat.ts'
import type { Contact } from './heartbeat/contact.ts'
import type { DeletionGuard } from './orders/guard.ts'
import type { OrderRunner } from './orders/orders.ts'
import type { Scrubber } from './scrub/scrubber.ts'
import type { Transfers } from './transfer/transfers.ts'
import type { BlockStore } from './store/store.ts'

interface Parts {
  readonly store: BlockStore
  readonly transfers: Transfers
  readonly contact: Contact
  readonly orders: OrderRunner
  readonly guard: DeletionGuard
  readonly scrubbers: readonly Scrubber[]
}
type Values = Array<{ labels: Record<string, string>; value: number }>

export function exposeDatanode(registry: Registry, { store, transfers, contact, orders, guard, scrubbers }: Parts): void {
  const metric = (name: string, help: string, type: 'counter' | 'gauge', values: () => Values | Promise<Values>): void => {
    registry.registerMetric({
      name, help, type, aggregator: 'sum',
      get: async () => ({ name, help, type, aggregator: 'sum', values: await values() }),
      reset() {},
    } as never)
  }
  const one = (value: number): Values => [{ labels: {}, value }]
  const perStorage = (pick: (state: StorageState) => number) => async (): Promise<Values> =>
    (await store.state()).map(state => ({ labels: { dir: state.dir }, value: pick(state) }))
  metric('gristmill_blocks', 'Sealed blocks of this node', 'gauge', () => one(store.blocks))
  metric('gristmill_storage_capacity_bytes', 'Size of the filesystem', 'gauge', perStorage(state => state.capacityBytes))
  metric('gristmill_storage_free_bytes', 'Room for new blocks', 'gauge', perStorage(state => state.freeBytes))
  metric('gristmill_storage_used_bytes', 'Blocks and their meta files', 'gauge', perStorage(state => state.usedBytes))
  metric('gristmill_storage_failed', '1 if the directory has failed', 'gauge', perStorage(state => Number(state.failed)))
  metric(
    'gristmill_storage_closed',
    '1 if the directory refuses writes, for example because it is read-only',
    'gauge',
    perStorage(state => Number(state.closed ?? false)),
  )
  metric('gristmill_storage_trash_bytes', 'Bytes of removed blocks in the trash', 'gauge', perStorage(state => state.trashBytes ?? 0))
  metric(
    'gristmill_storage_quarantined_blocks', 'Damaged replicas in quarantine', 'gauge', perStorage(state => state.quarantined ?? 0),
  )
  metric('gristmill_blocks_damaged_total', 'Replicas found damaged, by readers, copies and the scrubber', 'counter', () =>
    one(store.badFound),
  )
  metric('gristmill_deletions_refused_total', 'Blocks whose deletion was refused because the namenode had just started', 'counter', () =>
    one(guard.refusedTotal),
  )
  const perScrubber = (pick: (scrubber: Scrubber) => number | undefined) => (): Values => scrubbers.flatMap(scrubber => {
    const value = pick(scrubber)
    return value === undefined ? [] : [{ labels: { dir: scrubber.dir }, value }]
  })
  metric('gristmill_scrub_blocks_total', 'Blocks read by the scrubber', 'counter', perScrubber(scrubber => scrubber.blocks))
  metric('gristmill_scrub_bytes_total', 'Bytes read by the scrubber', 'counter', perScrubber(scrubber => scrubber.bytes))
  metric('gristmill_scrub_damaged_total', 'Replicas that the scrubber found damaged', 'counter', perScrubber(scrubber => scrubber.bad))
  metric(
    'gristmill_scrub_passed_seconds',
    'Time at which the last pass over all blocks of the directory ended, in seconds since 1970',
    'gauge',
    perScrubber(scrubber => (scrubber.passedMs === undefined ? undefined : scrubber.passedMs / 1000)),
  )
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
  metric('gristmill_blocks_copied_total', 'Blocks copied to other nodes on orders of the namenode', 'counter', () => one(orders.copied))
  metric('gristmill_registrations_total', 'Sessions with the namenode', 'counter', () => one(contact.sessions))
}
