// Formats the state of a cluster for people: processes, nodes, health. Pure.

import { formatBytes, formatDuration } from '../../../src/base/units.ts'
import type { ClusterStatus } from '../../../src/protocol/admin.ts'
import { formatCount, plural } from '../display.ts'
import { pad, tableLines, type Column } from '../table.ts'

interface ProcessFacts {
  readonly role: string
  readonly id: string
  readonly address: string
  readonly pid: number
  readonly dir: string
  readonly state?: string
  readonly endpoints?: Readonly<Record<string, string>>
}

const processColumns: readonly Column[] = [
  { title: 'ROLE' }, { title: 'ADDRESS' }, { title: 'PID', align: 'right' }, { title: 'ID' }, { title: 'STATE' }, { title: 'DIRECTORY' },
]

const nodeColumns: readonly Column[] = [
  { title: 'DATANODE' }, { title: 'STATE' }, { title: 'RACK' }, { title: 'BLOCKS', align: 'right' }, { title: 'USED', align: 'right' },
  { title: 'FREE', align: 'right' }, { title: 'TASKS', align: 'right' }, { title: 'LAST SEEN', align: 'right' },
]

/** `width`: of a terminal. */
export const processLines = (processes: readonly ProcessFacts[], width?: number): string[] => [
  ...tableLines(
    processColumns, processes.map(one => [one.role, one.address, String(one.pid), one.id, one.state ?? 'live', one.dir]), width,
  ),
  ...processes.flatMap(({ endpoints = {} }) => Object.entries(endpoints)).map(([name, url]) => `${name} is at ${url}`),
]

/** Problems that need attention, as sentences; empty if there are none. */
export function troubles(status: ClusterStatus): string[] {
  const found: string[] = []
  // A decommissioned node may be switched off, and a node in maintenance may be away.
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
            ? 'safe mode, entered by an operator: reads work, changes are refused until gristmill safemode leave'
            : status.missing > 0 && awaited === 0
              ? 'safe mode: all datanodes have reported, and too many blocks are missing; repairs and deletions wait until they are reported, or until gristmill safemode leave'
              : 'safe mode: the namenode waits for its datanodes; reads work, repairs and deletions wait',
    )
  }
  const gone = status.missing - corrupt
  if (gone > 0) found.push(`${have(gone)} no live replica: bring back the datanodes that hold ${gone === 1 ? 'it' : 'them'}`)
  if (corrupt > 0) found.push(`${have(corrupt)} only damaged replicas: gristmill fsck names the files`)
  if (awaited > 0) found.push(`${plural(awaited, 'block is', 'blocks are')} on datanodes that have not reported yet`)
  for (const node of unwell) {
    // A node with pid 0 is known from the journal only.
    found.push(
      `datanode ${node.address} is ${node.state}: ${node.pid === 0 ? 'no heartbeat since the namenode started' : `last heartbeat ${formatDuration(node.sinceContactMs)} ago`}`,
    )
  }
  for (const { address, notDecommissioned: why } of status.nodes)
    if (why !== undefined) found.push(`datanode ${address} is excluded by a hosts file, and still in service: ${why}`)
  for (const node of status.nodes) {
    // Disks of a dead or away node are not reported: the node itself is the problem.
    for (const storage of node.state === 'dead' || node.state === 'away' ? [] : node.storages) {
      if (storage.failed) found.push(`disk ${storage.dir} of datanode ${node.address} has failed`)
      else if (storage.closed) found.push(`disk ${storage.dir} of datanode ${node.address} takes no new blocks: it is read-only`)
      else if (storage.freeBytes === 0) found.push(`disk ${storage.dir} of datanode ${node.address} is full`)
      else if (isLow(storage, status))
        found.push(
          `disk ${storage.dir} of datanode ${node.address} has ${formatBytes(storage.freeBytes)} free, `
          + `which is less than a whole block (${formatBytes(status.defaults.blockBytes)}): only smaller ones fit`,
        )
    }
    if (node.refused)
      found.push(
        `datanode ${node.address} refuses to delete ${plural(node.refused, 'block')}, because the namenode has just started: stop the namenode if its state may be outdated, or run gristmill namenode allow-deletions`,
      )
  }
  if (status.underReplicated > 0)
    found.push(
      `${have(status.underReplicated)} too few replicas; ` +
      `${plural(status.pendingReplications - (status.pendingMoves ?? 0), 'copy is in progress', 'copies are in progress')}`,
    )
  if (misplaced > 0) found.push(`${have(misplaced)} all replicas in one rack; they are copied to another rack if it has space`)
  return found
}

/** True for a disk with less free space than one block of the default size. */
export const isLow = ({ freeBytes }: { readonly freeBytes: number }, { defaults }: Pick<ClusterStatus, 'defaults'>): boolean =>
  freeBytes < defaults.blockBytes

const have = (blocks: number): string => plural(blocks, 'block has', 'blocks have')

/** Processes of `up` that have ended, as sentences. The namenode knows no gateways, and notices the end of a datanode seconds later. */
function endedProcesses(processes: readonly ProcessFacts[], { nodes }: Pick<ClusterStatus, 'nodes'>): string[] {
  // A decommissioned node may be switched off, and a node in maintenance may be away.
  const resting = nodes.filter(({ service }) => service === 'decommissioned' || service === 'maintenance')
  const mayEnd = new Set<string>(resting.map(({ node }) => node))
  return processes.filter(({ state, id }) => state === 'gone' && !mayEnd.has(id)).map(({ role, address, pid }) =>
    `${role} ${address} has ended (process ${pid}): gristmill up --detach starts it again`)
}

/** `processes`: those of `up`, if it has started the cluster. */
export function statusLines(status: ClusterStatus, width?: number, processes: readonly ProcessFacts[] = []): string[] {
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
  const found = [...endedProcesses(processes, status), ...troubles(status)]
  facts.push(['health', found.length === 0 ? 'healthy' : found[0]!])
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
  return rows.length === 0 ? [...lines, '', 'no datanode is registered'] : [...lines, '', ...tableLines(nodeColumns, rows, width)]
}
