// Status of the cluster: for `gristmill status`, for clients that ask for id and defaults, and for Prometheus.

import type { Address, ClusterId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import * as protocol from '../../src/protocol/admin.ts'
import type { ClusterStatus } from '../../src/protocol/admin.ts'
import { expose, type Registry as Metrics, type Samples } from '../../src/rpc/metrics.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { Authority } from '../succession/authority.ts'
import type { Balancer } from '../balance/balancer.ts'
import type { Blocks } from '../blocks/blocks.ts'
import { health } from '../blocks/map.ts'
import type { Journal } from '../journal/journal.ts'
import type { NodeState } from '../nodes/node.ts'
import { nodeStatus } from '../nodes/nodestatus.ts'
import type { NodeRegistry } from '../nodes/registry.ts'

interface StatusOptions {
  readonly journal: Journal
  readonly registry: NodeRegistry
  readonly blocks: Blocks
  readonly balancer: Pick<Balancer, 'progress'>
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

function clusterStatus({ journal, registry, blocks, balancer, authority, clock, jobsRunning, about }: StatusOptions): ClusterStatus {
  const { map, repair, deletions, safe } = blocks
  const { counters } = journal.view
  const balancing = balancer.progress
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
    ...repair.moving > 0 && { pendingMoves: repair.moving },
    pendingDeletions: deletions.pending,
    ...balancing && { balancing },
    jobsRunning: jobsRunning(),
    nodes: [...registry.all].map(node => nodeStatus(node, clock)).sort((a, b) => (a.node < b.node ? -1 : 1)),
    defaults: about.defaults,
  }
}

export const statusRoutes = (options: StatusOptions): Route[] => [route(protocol.status, () => clusterStatus(options))]

/** Registers the namenode's metrics. Values are read on each scrape. */
export function exposeNamenode(metrics: Metrics, { journal, registry, blocks, jobsRunning, backupMs }: StatusOptions): void {
  const { map, repair, deletions, safe } = blocks
  const one = (name: string, help: string, read: () => number | Samples, labels: readonly string[] = []): void =>
    expose(metrics, { name, help, type: 'gauge', labels }, read)
  const { counters } = journal.view
  one('gristmill_files', 'Files in the namespace', () => counters.files)
  one('gristmill_directories', 'Directories in the namespace', () => counters.directories)
  one('gristmill_blocks', 'Blocks of all files', () => counters.blocks)
  one('gristmill_blocks_missing', 'Blocks without any live replica', () => blocks.unseen.missing)
  one('gristmill_blocks_awaited', 'Blocks without a replica while datanodes are still to report', () => blocks.unseen.awaited)
  one('gristmill_blocks_corrupt', 'Blocks whose known replicas are all damaged', () => blocks.unseen.corrupt)
  one('gristmill_blocks_misplaced', 'Blocks with enough replicas, all in one rack', () => map.counts[health.misplaced]!)
  one('gristmill_blocks_under_replicated', 'Blocks with fewer replicas than their file asks for', () => map.counts[health.under]!)
  one('gristmill_blocks_over_replicated', 'Blocks with more replicas than their file asks for', () => map.counts[health.over]!)
  one('gristmill_replications_pending', 'Copies ordered from datanodes and not yet reported', () => repair.pending)
  one('gristmill_deletions_pending', 'Replicas to be deleted', () => deletions.pending)
  one('gristmill_leases', 'Files being written', () => counters.leases)
  one('gristmill_removals_pending', 'Removed files and directories whose blocks and rows are still to be deleted', () => counters.doomed)
  one('gristmill_journal_operations', 'Number of the last operation of the journal', () => counters.appliedSeq)
  one('gristmill_journal_waiting', 'Operations that wait to be written to the journal', () => journal.waiting)
  one('gristmill_safe_mode', '1 in safe mode', () => Number(safe.on))
  one('gristmill_backup_seconds', 'Time of the newest backup of the metadata, in seconds since 1970', () => {
    const ms = backupMs()
    return ms === undefined ? [] : [{ labels: {}, value: ms / 1000 }]
  })
  one('gristmill_jobs_running', 'Jobs that have not ended', jobsRunning)
  one(
    'gristmill_replications_waiting', 'Blocks that wait to be copied, by urgency: 0 most urgent, 3 least urgent, 4 no source or no target',
    () => repair.levels.map((value, level) => ({ labels: { level: String(level) }, value })), ['level'],
  )
  one('gristmill_nodes', 'Datanodes by state', () => {
    const states: NodeState[] = ['live', 'stale', 'dead', 'left', 'away']
    const nodes = [...registry.all]
    return states.map(state => ({ labels: { state }, value: nodes.filter(node => node.state === state).length }))
  }, ['state'])
}
