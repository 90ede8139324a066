// status and report: processes of the selected cluster and its health; space of the cluster, and each datanode with its disks. They start
// nothing. status exits with the code of UNAVAILABLE if the cluster does not run, or its namenode does not answer.

import { codes } from '../../../src/base/errors.ts'
import { showText } from '../../../src/base/quote.ts'
import { formatBytes, formatDuration } from '../../../src/base/units.ts'
import type { ClusterStatus, NodeStatus } from '../../../src/protocol/admin.ts'
import { clusterSpace, spaceOf } from '../../../src/protocol/space.ts'
import type { CommandContext } from '../context.ts'
import { formatCount, percent, plural } from '../display.ts'
import type { Printer } from '../printer.ts'
import type { CommandSpec } from '../spec.ts'
import { pad, tableLines } from '../table.ts'
import { isLow, processLines, statusLines, troubles } from './view.ts'

export const status: CommandSpec = {
  name: 'status', args: '', about: 'show processes, nodes, blocks and their health',
  notes: 'Exits with 69 if the cluster of this home does not run, or its namenode does not answer. An embedded cluster runs only while it is used.',
  options: [], examples: [['gristmill status --json', 'as JSON: processes with role, id, address, pid, dir']],
  run: runStatus,
}

export const report: CommandSpec = {
  name: 'report', args: '', about: 'show space, datanodes and their disks',
  options: [], examples: [['gristmill report', 'one paragraph per datanode']],
  run: runReport,
}

async function runStatus(context: CommandContext): Promise<void> {
  const { printer, signal } = context
  const { clusterStatus } = await import('../../process/status.ts')
  const { failure, ...report } = await clusterStatus({
    settings: await context.settings(), world: await context.world(), machine: await context.machine(), signal,
  })
  const { kind, dir, logs, processes, cluster } = report
  if (context.json) await printer.json(report)
  else if (!cluster && processes.length === 0) {
    await printer.line(context.hint(
      dir === undefined
        ? 'no process is running'
        : kind === 'embedded'
          ? `no process is running; the embedded cluster in ${dir} starts when a command needs it`
          : `no process is running; "gristmill up --detach" starts the cluster in ${dir} again; its logs are in ${logs}`,
    ))
  } else {
    if (kind === 'embedded') await printer.text(`embedded cluster in ${dir}\n\n`)
    for (const line of processLines(processes, printer.tableWidth)) await printer.line(line)
    if (cluster) {
      await printer.line()
      for (const line of statusLines(cluster, printer.tableWidth, processes)) await printHealth(context.hint(line), printer)
    }
    if (logs !== undefined) await printer.text(`\nlogs in ${logs}\n`)
  }
  if (!context.json) await printer.line(`commands use this cluster because ${await whyChosen(context, kind)}`)
  if (failure) throw failure
  if (kind === 'cluster' && !cluster) context.exitCode = codes.UNAVAILABLE.exit
}

/** The order is that of discovery/locate.ts. */
async function whyChosen(context: CommandContext, kind: 'cluster' | 'embedded'): Promise<string> {
  const { findSettings } = await import('../../discovery/readsettings.ts')
  const { disk } = await context.world()
  const { settings: { home }, origins } = await findSettings({ disk, machine: await context.machine() }, context.options)
  const origin = origins.get('cluster')
  if (origin) return `${origin.kind === 'file' ? `the settings file ${origin.name}` : origin.name} names it`
  return kind === 'cluster' ? `"up" has made it in the home ${home}` : `no "up" has made one in the home ${home}`
}

/** Prints a line of the status; the health of the cluster in its colour. */
async function printHealth(line: string, printer: Printer): Promise<void> {
  const [, head, health] = /^(health +)(.*)$/.exec(line) ?? []
  if (head === undefined || health === undefined) return printer.line(line)
  return printer.line(`${head}${health === 'healthy' ? printer.state(health) : printer.paint('red', showText(health))}`, { painted: true })
}

async function runReport(context: CommandContext): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const status = await mill.clusterStatus({ signal })
  const total = clusterSpace(status.nodes)
  if (context.json) return printer.json({ ...status, total })
  const rows: [string, string][] = [
    ['cluster', status.cluster],
    ['capacity', formatBytes(total.capacityBytes)],
    ['used by blocks', `${formatBytes(total.usedBytes)} (${percent(total.usedBytes, total.capacityBytes)})`],
    ['free', formatBytes(total.freeBytes)],
    ['blocks', `${formatCount(status.blocks)}: ${formatCount(status.missing)} missing, ${formatCount(status.underReplicated)} ` +
      `with too few replicas, ${formatCount(status.overReplicated)} with too many`],
    ['on their way', `${plural(status.pendingReplications, 'copy', 'copies')}, ${plural(status.pendingDeletions, 'deletion')}`],
    ['safe mode', status.safeMode ? 'on' : 'off'],
    ['datanodes', countStates(status.nodes)],
  ]
  for (const [name, value] of rows) await printer.line(`${pad(name, 16)}${value}`)
  for (const node of status.nodes) {
    await printer.line()
    for (const line of nodeLines(node, status, printer.tableWidth)) await printer.line(line)
  }
  const found = troubles(status)
  if (found.length > 0) await printer.line()
  for (const trouble of found) await printer.line(context.hint(trouble))
}

function nodeLines(node: NodeStatus, status: ClusterStatus, width: number | undefined): string[] {
  const space = spaceOf([node])
  const facts: [string, string][] = [
    ['datanode', `${node.address} (${node.node})`],
    ['state', `${stateOf(node)}, last contact ${formatDuration(node.sinceContactMs)} ago`],
    ['place', `rack ${node.rack}, host ${node.host}, gristmill ${node.version}`],
    ['space', `${formatBytes(space.capacityBytes)}, ${formatBytes(space.usedBytes)} used by ${plural(node.blocks, 'block')}, ` +
      `${formatBytes(space.freeBytes)} free`],
    ['work', `${node.running} of ${plural(node.slots, 'task')}, ${plural(node.transfers, 'transfer')}`],
  ]
  const lines = facts.map(([name, value]) => `${pad(name, 16)}${value}`)
  if (node.storages.length === 0) return lines
  const disks = tableLines(
    [
      { title: '  DISK' }, { title: 'BLOCKS', align: 'right' }, { title: 'USED', align: 'right' }, { title: 'FREE', align: 'right' },
      { title: 'SIZE', align: 'right' }, { title: 'STATE' },
    ],
    node.storages.map(disk => [
      `  ${disk.dir}`, formatCount(disk.blocks), formatBytes(disk.usedBytes), formatBytes(disk.freeBytes), formatBytes(disk.capacityBytes),
      stateOfDisk(disk, status),
    ]),
    width,
  )
  return [...lines, ...disks]
}

function stateOfDisk(disk: NodeStatus['storages'][number], status: ClusterStatus): string {
  const { failed, closed, quarantined = 0 } = disk
  const state = failed ? 'failed' : closed ? 'read-only' : disk.freeBytes === 0 ? 'full' : isLow(disk, status) ? 'low on space' : 'good'
  return quarantined > 0 ? `${state}, ${formatCount(quarantined)} in quarantine` : state
}

/** State seen by the namenode, and the service state that an operator set. */
function stateOf(node: NodeStatus): string {
  const { service } = node as { service?: { state?: unknown } | string }
  const admin = typeof service === 'string' ? service : service?.state
  return typeof admin === 'string' && admin !== 'in-service' ? `${node.state}, ${admin}` : node.state
}

function countStates(nodes: readonly NodeStatus[]): string {
  const states = new Map<string, number>()
  for (const { state } of nodes) states.set(state, (states.get(state) ?? 0) + 1)
  return nodes.length === 0
    ? 'none registered'
    : `${nodes.length}: ${[...states].map(([state, count]) => `${count} ${state}`).join(', ')}`
}
