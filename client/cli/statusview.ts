// A cluster's state as people read it: what runs where, and whether all is well. Pure: facts in, lines out.

import { formatBytes, formatDuration } from '../../src/base/units.ts'
import type { ClusterStatus } from '../../src/protocol/admin.ts'
import { formatCount, plural } from './format.ts'
import { pad, tabulate, type Column } from './table.ts'

export interface ProcessFacts {
  readonly role: string
  readonly id: string
  readonly address: string
  readonly pid: number
  readonly dir: string
  readonly state?: string
}

const processColumns: readonly Column[] = [
  { title: 'ROLE' }, { title: 'ADDRESS' }, { title: 'PID', align: 'right' }, { title: 'ID' }, { title: 'STATE' }, { title: 'DIRECTORY' },
]

const nodeColumns: readonly Column[] = [
  { title: 'DATANODE' }, { title: 'STATE' }, { title: 'RACK' }, { title: 'BLOCKS', align: 'right' }, { title: 'USED', align: 'right' },
  { title: 'FREE', align: 'right' }, { title: 'TASKS', align: 'right' }, { title: 'LAST SEEN', align: 'right' },
]

export const processLines = (processes: readonly ProcessFacts[]): string[] =>
  tabulate(processColumns, processes.map(one => [one.role, one.address, String(one.pid), one.id, one.state ?? 'live', one.dir]))

/** What a person should do something about, as sentences; nothing if all is well. */
export function troubles(status: ClusterStatus): string[] {
  const found: string[] = []
  // A decommissioned node may be switched off, and one in maintenance be away.
  const unwell = status.nodes.filter(
    node => (node.state === 'dead' || node.state === 'stale') && node.service !== 'decommissioned' && node.service !== 'maintenance',
  )
  const { corrupt = 0, awaited = 0, misplaced = 0 } = status
  if (status.safeMode) {
    found.push(
      status.behind !== undefined
        ? `safe mode: ${status.behind}`
        : status.doubt !== undefined
          ? `safe mode: ${status.doubt}`
          : status.safeModeManual
            ? 'safe mode: an operator has said so; what is there can be read and nothing is changed until gristmill safemode leave'
            : status.missing > 0 && awaited === 0
              ? 'safe mode: all datanodes have reported, and too many blocks are missing; repairs and deletions wait until they are there, or until gristmill safemode leave says that they are gone'
              : 'safe mode: the namenode waits for its datanodes; reads work, repairs and deletions wait',
    )
  }
  const gone = status.missing - corrupt
  if (gone > 0) found.push(`${have(gone)} no live replica: bring back the datanodes that hold ${gone === 1 ? 'it' : 'them'}`)
  if (corrupt > 0) found.push(`${have(corrupt)} only damaged replicas: gristmill fsck names the files`)
  if (awaited > 0) found.push(`${plural(awaited, 'block is', 'blocks are')} on datanodes that have not reported yet`)
  for (const node of unwell) {
    // Without a process it is known from the journal only.
    found.push(
      `datanode ${node.address} is ${node.state}: not heard of ${node.pid === 0 ? 'since the namenode started' : `for ${formatDuration(node.sinceContactMs)}`}`,
    )
  }
  for (const node of status.nodes) {
    // What disks were like when a node was last heard of is no news: that it is gone is.
    for (const storage of node.state === 'dead' || node.state === 'away' ? [] : node.storages) {
      if (storage.failed) found.push(`disk ${storage.dir} of datanode ${node.address} has failed`)
      else if (storage.closed) found.push(`disk ${storage.dir} of datanode ${node.address} takes no new blocks: it is read-only`)
      else if (isFull(storage, status))
        found.push(`disk ${storage.dir} of datanode ${node.address} is full: ${formatBytes(storage.freeBytes)} are left, less than a block`)
    }
    if (node.refused)
      found.push(
        `datanode ${node.address} does not remove ${plural(node.refused, 'block')} yet, because the namenode has just started: stop the namenode if its state may be an old one, or say gristmill namenode allow-deletions`,
      )
  }
  if (status.underReplicated > 0)
    found.push(
      `${have(status.underReplicated)} too few replicas; ${plural(status.pendingReplications, 'copy is on its way', 'copies are on their way')}`,
    )
  if (misplaced > 0) found.push(`${have(misplaced)} all replicas in one rack; copies go to another one as far as there is room`)
  return found
}

/** No room for one more block of the usual size. */
export const isFull = ({ freeBytes }: { readonly freeBytes: number }, { defaults }: Pick<ClusterStatus, 'defaults'>): boolean =>
  freeBytes < defaults.blockBytes

const have = (blocks: number): string => plural(blocks, 'block has', 'blocks have')

export function statusLines(status: ClusterStatus): string[] {
  const facts: [string, string][] = [
    ['cluster', `${status.cluster}, epoch ${status.epoch}, gristmill ${status.version}`],
    ['namenode', `${status.address}, up for ${formatDuration(Math.max(0, status.nowMs - status.startedMs))}`],
    [
      'stored',
      `${plural(status.files, 'file')} in ${plural(status.directories, 'directory', 'directories')}, ${plural(status.blocks, 'block')}`,
    ],
    ['defaults', `${plural(status.defaults.replication, 'replica')}, blocks of ${formatBytes(status.defaults.blockBytes)}`],
    ['jobs', `${status.jobsRunning} running`],
  ]
  const found = troubles(status)
  facts.push(['health', found.length === 0 ? 'all is well' : found[0]!])
  const lines = facts.map(([name, value]) => `${pad(name, 10)}${value}`)
  for (const more of found.slice(1)) lines.push(`${pad('', 10)}${more}`)
  const rows = status.nodes.map(node => [
    node.address,
    (node.service ?? 'in-service') === 'in-service' ? node.state : `${node.state}, ${node.service}`,
    node.rack, formatCount(node.blocks),
    formatBytes(node.storages.reduce((sum, storage) => sum + storage.usedBytes, 0)),
    formatBytes(node.storages.reduce((sum, storage) => sum + storage.freeBytes, 0)),
    `${node.running}/${node.slots}`, formatDuration(node.sinceContactMs),
  ])
  return rows.length === 0 ? [...lines, '', 'no datanode has registered yet'] : [...lines, '', ...tabulate(nodeColumns, rows)]
}
