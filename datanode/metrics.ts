// Metrics of a datanode beside those of its calls, for /metrics. Values are read from their owners at each scrape; no counter is kept
// here.

import { expose, type Registry, type Samples } from '../src/rpc/metrics.ts'
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

export function exposeDatanode(registry: Registry, { store, transfers, contact, orders, guard, scrubbers }: Parts): void {
  type Read = () => number | Samples | Promise<Samples>
  const metric = (name: string, help: string, type: 'counter' | 'gauge', read: Read, labels: readonly string[] = []): void =>
    expose(registry, { name, help, type, labels }, read)
  const perDisk = (name: string, help: string, pick: (state: StorageState) => number): void => metric(name, help, 'gauge', async () =>
    (await store.state()).map(state => ({ labels: { dir: state.dir }, value: pick(state) })), ['dir'])
  const perScrubber = (name: string, help: string, type: 'counter' | 'gauge', pick: (scrubber: Scrubber) => number | undefined): void =>
    metric(name, help, type, () => scrubbers.flatMap(scrubber => {
      const value = pick(scrubber)
      return value === undefined ? [] : [{ labels: { dir: scrubber.dir }, value }]
    }), ['dir'])
  metric('gristmill_replicas', 'Sealed replicas on this datanode', 'gauge', () => store.blocks)
  perDisk('gristmill_storage_capacity_bytes', 'Size of the filesystem', state => state.capacityBytes)
  perDisk('gristmill_storage_free_bytes', 'Space for new replicas', state => state.freeBytes)
  perDisk('gristmill_storage_used_bytes', 'Bytes of replicas and their meta files', state => state.usedBytes)
  perDisk('gristmill_storage_failed', '1 if the directory has failed', state => Number(state.failed))
  perDisk(
    'gristmill_storage_closed', '1 if the directory refuses writes, for example because it is read-only', state => Number(state.closed ?? false),
  )
  perDisk('gristmill_storage_trash_bytes', 'Bytes of removed replicas in the trash', state => state.trashBytes ?? 0)
  perDisk('gristmill_storage_quarantined_blocks', 'Damaged replicas in quarantine', state => state.quarantined ?? 0)
  metric('gristmill_blocks_damaged_total', 'Replicas found damaged, by readers, copies and the scrubber', 'counter', () => store.badFound)
  metric(
    'gristmill_deletions_refused_total', 'Replicas whose deletion was refused because the namenode had just started', 'counter',
    () => guard.refusedTotal,
  )
  perScrubber('gristmill_scrub_blocks_total', 'Replicas read by the scrubber', 'counter', scrubber => scrubber.blocks)
  perScrubber('gristmill_scrub_bytes_total', 'Bytes read by the scrubber', 'counter', scrubber => scrubber.bytes)
  perScrubber('gristmill_scrub_damaged_total', 'Replicas that the scrubber found damaged', 'counter', scrubber => scrubber.bad)
  perScrubber(
    'gristmill_scrub_passed_seconds', 'End of the last pass over all replicas of the directory, in seconds since 1970', 'gauge',
    scrubber => (scrubber.passedMs === undefined ? undefined : scrubber.passedMs / 1000),
  )
  metric('gristmill_transfers_in_flight', 'Reads and writes of replicas in progress', 'gauge', () => transfers.active)
  metric('gristmill_transfer_bytes_total', 'Bytes of replicas received (in) and sent (out)', 'counter', () => [
    { labels: { direction: 'in' }, value: transfers.bytesIn },
    { labels: { direction: 'out' }, value: transfers.bytesOut },
  ], ['direction'])
  metric('gristmill_transfers_total', 'Reads and writes of replicas', 'counter', () => [
    { labels: { op: 'write' }, value: transfers.writes },
    { labels: { op: 'read' }, value: transfers.reads },
  ], ['op'])
  metric('gristmill_transfer_failures_total', 'Reads and writes of replicas that failed or were refused', 'counter', () => transfers.failures)
  metric('gristmill_blocks_copied_total', 'Replicas copied to other datanodes, as the namenode ordered', 'counter', () => orders.copied)
  metric('gristmill_registrations_total', 'Registrations with the namenode', 'counter', () => contact.sessions)
}
