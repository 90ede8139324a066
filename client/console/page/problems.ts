// Problems of a cluster, worst first, out of its status. Pure.

import type { ClusterStatus, NodeStatus } from '../../../src/protocol/admin.ts'
import { formatDuration, plural } from './format.ts'
import { repairsOf } from './underway.ts'

interface Problem {
  readonly tone: 'bad' | 'warn'
  /** As the server names the trouble that it has seen (client/console/live.ts). */
  readonly name: string
  readonly text: string
  /** What to do, or what happens by itself. */
  readonly advice: string
  readonly url?: string
}

export function problemsOf(status: ClusterStatus): readonly Problem[] {
  const problems = [...ofNamenode(status), ...ofBlocks(status), ...status.nodes.flatMap(node => ofNode(node, status))]
  if (status.nodes.every(({ state }) => state !== 'live'))
    problems.push({
      tone: 'bad', name: 'noNode',
      text: 'No datanode is live.', advice: 'Nothing can be read or written until one is.', url: '/nodes',
    })
  return problems.sort((a, b) => (a.tone === b.tone ? 0 : a.tone === 'bad' ? -1 : 1))
}

function ofNamenode({ behind, safeMode, safeModeManual, doubt }: ClusterStatus): Problem[] {
  const problems: Problem[] = []
  if (behind !== undefined) problems.push({ tone: 'bad', name: 'behind', text: 'The namenode is behind its cluster.', advice: behind })
  const ends = safeModeManual
    ? 'An operator has set it; "gristmill safemode leave" ends it.'
    : 'It ends by itself when the datanodes have reported their blocks.'
  if (safeMode)
    problems.push({
      tone: 'warn', name: 'safeMode',
      text: 'Safe mode: everything can be read, and nothing be changed.', advice: doubt ?? ends,
    })
  return problems
}

function ofBlocks(status: ClusterStatus): Problem[] {
  const { missing, corrupt = 0, awaited = 0, underReplicated } = status
  const copies = repairsOf(status)
  const problems: Problem[] = []
  const lost = Math.max(0, missing - awaited)
  const find = '"gristmill fsck /" names the files.'
  if (lost > 0) {
    const advice = `Files with these blocks cannot be read whole. Start the datanodes that are dead; ${find}`
    problems.push({ tone: 'bad', name: 'missing', text: `${plural(lost, 'block')} without a live replica.`, advice, url: '/nodes' })
  }
  if (corrupt > 0)
    problems.push({
      tone: 'bad', name: 'corrupt',
      text: `${plural(corrupt, 'block')} with corrupt replicas only.`, advice: find,
    })
  if (underReplicated > 0) {
    const advice =
      copies > 0
        ? `${plural(copies, 'copy', 'copies')} under way.`
        : 'Copies are made as soon as there are enough live datanodes.'
    problems.push({ tone: 'warn', name: 'underReplicated', text: `${plural(underReplicated, 'block')} with too few replicas.`, advice })
  }
  if (awaited > 0)
    problems.push({
      tone: 'warn', name: 'awaited',
      text: `${plural(awaited, 'block')} not reported yet.`, advice: 'Datanodes still report.',
    })
  return problems
}

function ofNode({ node, host, address, state, sinceContactMs, storages }: NodeStatus, status: ClusterStatus): Problem[] {
  const url = `/nodes/${node}`
  const last = `Its last contact was ${formatDuration(sinceContactMs)} ago.`
  const problems: Problem[] = []
  if (state === 'dead') {
    const { missing, underReplicated } = status
    const copied =
      repairsOf(status) > 0
        ? 'Its blocks are copied from their other replicas.'
        : missing + underReplicated > 0
          ? 'Some of its blocks have too few replicas without it.'
          : 'Every block has its replicas without it; "gristmill forget" takes it off the list if it does not come back.'
    const advice = `${last} ${copied}`
    problems.push({ tone: 'bad', name: `dead ${node}`, text: `The datanode ${address} on ${host} is dead.`, advice, url })
  }
  if (state === 'stale')
    problems.push({
      tone: 'warn', name: `stale ${node}`,
      text: `The datanode ${address} on ${host} is late.`, advice: last, url,
    })
  for (const { failed, dir } of storages)
    if (failed)
      problems.push({
        tone: 'bad', name: `disk ${node}`,
        text: `A disk of ${host} has failed.`, advice: `${dir}: its blocks are copied; replace the disk.`, url,
      })
  return problems
}
