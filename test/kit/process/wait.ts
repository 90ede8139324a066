// Waits until a real cluster has settled, by polling its status. A node that does not run counts only once the namenode has noticed it:
// until then its replicas count as good.

import type { ClusterStatus } from '../../../client/index.ts'
import type { ProcessCluster } from './cluster.ts'

const lookMs = 50

/** Reason why the condition does not hold yet; undefined: it holds. */
export type Obstacle = (status: ClusterStatus, cluster: ProcessCluster) => string | undefined

/** Waits until the cluster is active and `obstacle` returns undefined twice in a row. */
export async function waitFor(cluster: ProcessCluster, what: string, obstacle: Obstacle, timeoutMs: number): Promise<void> {
  const until = performance.now() + timeoutMs
  let clear = 0
  let last = 'no status received'
  for (;;) {
    let why: string | undefined
    try {
      const status = await cluster.mill.clusterStatus({
        signal: AbortSignal.timeout(Math.ceil(Math.max(1, Math.min(5_000, until - performance.now())))),
      })
      why = isActive(status, cluster) ?? obstacle(status, cluster)
    } catch (error) {
      why = (error as Error).message
    }
    if (why !== undefined && until - performance.now() > lookMs) last = why
    clear = why === undefined ? clear + 1 : 0
    if (clear === 2) return
    if (performance.now() > until) throw new Error(`waited ${timeoutMs} ms in vain for ${what}: ${last}`)
    await new Promise(resolve => setTimeout(resolve, lookMs))
  }
}

const isActive: Obstacle = (status, { datanodes }) => {
  if (status.safeMode) return 'safe mode is on'
  for (const { id, name, pid, running, paused } of datanodes) {
    if (!running || paused) continue
    const node = status.nodes.find(one => one.node === id)
    if (node?.state !== 'live' || node.pid !== pid) return `${name} is ${node?.pid === pid ? node.state : 'not back yet'}`
  }
  return undefined
}

export const isReplicated: Obstacle = (status, { datanodes }) => {
  for (const { id, name, running, paused } of datanodes) {
    const state = status.nodes.find(one => one.node === id)?.state
    if ((!running || paused) && state !== undefined && state !== 'dead' && state !== 'away')
      return `${name} does not run and does not count as dead yet`
  }
  if (status.missing > 0) return `${status.missing} blocks are missing`
  return status.underReplicated > 0 ? `${status.underReplicated} blocks have too few replicas` : undefined
}

export const isQuiet: Obstacle = (status, cluster) => {
  const why = isReplicated(status, cluster)
  if (why !== undefined) return why
  const { overReplicated, misplaced = 0, pendingReplications, pendingDeletions, jobsRunning } = status
  for (const [name, count] of Object.entries({ overReplicated, misplaced, pendingReplications, pendingDeletions, jobsRunning })) {
    if (count > 0) return `${name} is ${count}`
  }
  for (const { node, refused = 0 } of status.nodes) {
    if (refused > 0)
      return `${node} keeps ${refused} blocks that the namenode wants deleted, because the namenode has not run long enough (setting deleteGuard)`
  }
  return undefined
}
