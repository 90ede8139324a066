// Status of the cluster: for `gristmill status`, for clients that ask for id and defaults, and for Prometheus.

import type { Address, ClusterId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import * as protocol from '../../src/protocol/admin.ts'
import type { ClusterStatus } from '../../src/protocol/admin.ts'
import type { Registry as Metrics } from '../../src/rpc/metrics.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { Authority } from '../nodes/authority.ts'
import type { Blocks } from '../blocks/blocks.ts'
import { health } from '../blocks/map.ts'
import type { Journal } from '../journal/journal.ts'
import type { NodeState } from '../nodes/node.ts'
import { nodeStatus } from '../nodes/nodestatus.ts'
import type { NodeRegistry } from '../nodes/registry.ts'

export interface StatusOptions {
  readonly journal: Journal
  readonly registry: NodeRegistry
  readonly blocks: Blocks
  readonly authority: Authority
  readonly clock: Clock
  readonly jobsRunning: () => number
  /** Wall-clock time of the newest backup in ms; undefined if there is none. */
  readonly backupMs: () => number | undefined
  readonly about: {
    readonly cluster: ClusterId
    readonly dir: string
    readonly pid: number
    readonly version: string
    readonly startedMs: number
    readonly address: () => Address
    readonly defaults: { readonly replication: number; readonly blockBytes: number }
  }
}

export function clusterStatus({ journal, registry, blocks, authority, clock, jobsRunning, about }: StatusOptions): ClusterStatus {
  const { map, repair, deletions, safe } = blocks
  const { counters } = journal.view
  return {
    cluster: about.cluster,
    epoch: counters.epoch,
    version: about.version,
    pid: about.pid,
    address: about.address(),
    dir: about.dir,
    startedMs: about.startedMs,
    nowMs: Math.floor(clock.now()),
    safeMode: safe.on,
    ...authority.manual && { safeModeManual: true },
    ...authority.behind && { behind: authority.behind.message },
    ...authority.doubt && { doubt: authority.doubt.message },
    files: counters.files,
    directories: counters.directories,
    blocks: counters.blocks,
    ...blocks.unseen,
    underReplicated: map.counts[health.under]!,
    overReplicated: map.counts[health.over]!,
    misplaced: map.counts[health.misplaced]!,
    pendingReplications: repair.pending,
    pendingDeletions: deletions.pending,
    jobsRunning: jobsRunning(),
    nodes: [...registry.all].map(node => nodeStatus(node, clock)).sort((a, b) => (a.node < b.node ? -1 : 1)),
    defaults: about.defaults,
  }
}

export const statusRoutes = (options: StatusOptions): Route[] => [route(protocol.status, () => clusterStatus(options))]

/** Registers the namenode's metrics. Values are read on each scrape. */
export function exposeNamenode(metrics: Metrics, { journal, registry, blocks, jobsRunning, backupMs }: StatusOptions): void {
  const { map, repair, deletions, safe } = blocks
  const metric = (name: string, help: string, values: () => Array<{ labels: Record<string, string>; value: number }>): void => {
    metrics.registerMetric({
      name, help, type: 'gauge', aggregator: 'sum',
      get: async () => ({ name, help, type: 'gauge', aggregator: 'sum', values: values() }),
      reset() {},
    } as never)
  }
  const one = (name: string, help: string, value: () => number): void => metric(name, help, () => [{ labels: {}, value: value() }])
  const { counters } = journal.view
  one('gristmill_files', 'Files in the namespace', () => counters.files)
  one('gristmill_directories', 'Directories in the namespace', () => counters.directories)
  one('gristmill_blocks', 'Blocks of all files', () => counters.blocks)
  one('gristmill_blocks_missing', 'Blocks without any live replica', () => blocks.unseen.missing)
  one('gristmill_blocks_awaited', 'Blocks without a replica while datanodes are still to report', () => blocks.unseen.awaited)
  one('gristmill_blocks_corrupt', 'Blocks of which only bad replicas are known', () => blocks.unseen.corrupt)
  one('gristmill_blocks_misplaced', 'Blocks with enough replicas, all in one rack', () => map.counts[health.misplaced]!)
  one('gristmill_blocks_under_replicated', 'Blocks with fewer replicas than wanted', () => map.counts[health.under]!)
  one('gristmill_blocks_over_replicated', 'Blocks with more replicas than wanted', () => map.counts[health.over]!)
  one('gristmill_replications_pending', 'Copies ordered and not reported', () => repair.pending)
  one('gristmill_deletions_pending', 'Replicas to be removed', () => deletions.pending)
  one('gristmill_leases', 'Files being written', () => counters.leases)
  one('gristmill_doomed', 'Removed files and directories that are still to be taken apart', () => counters.doomed)
  one('gristmill_journal_operations', 'Number of the last operation', () => counters.appliedSeq)
  one('gristmill_journal_waiting', 'Operations that wait for the next group', () => journal.waiting)
  one('gristmill_safe_mode', '1 while it is not known well enough where blocks lie', () => Number(safe.on))
  metric('gristmill_backup_seconds', 'When the newest backup of the metadata was made, in seconds since 1970', () => {
    const ms = backupMs()
    return ms === undefined ? [] : [{ labels: {}, value: ms / 1000 }]
  })
  one('gristmill_jobs_running', 'Jobs that have not ended', jobsRunning)
  metric('gristmill_replications_waiting', 'Blocks to be copied, by how much they hurry: 0 most, 3 least, 4 cannot be', () =>
    repair.levels.map((value, level) => ({ labels: { level: String(level) }, value })))
  metric('gristmill_nodes', 'Datanodes by state', () => {
    const states: NodeState[] = ['live', 'stale', 'dead', 'left', 'away']
    const nodes = [...registry.all]
    return states.map(state => ({ labels: { state }, value: nodes.filter(node => node.state === state).length }))
  })
}
