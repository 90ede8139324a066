// Check of a run in which last replicas were destroyed on purpose. Such files cannot come back; the damage report must name exactly the
// files that cannot be read, and reading one must fail with the proper error. The expected set is computed from the disks.
// Files, older versions of outputs, snapshots and the system's own files are covered.

import { hasCode } from '../../src/base/errors.ts'
import { snapshotPath } from '../../client/files/snapshots.ts'
import { olderObjects } from '../kit/check/check.ts'
import { confirmMs } from '../../namenode/blocks/claims.ts'
import type { Cluster } from '../kit/contract.ts'
import { settle, unreported } from './settle.ts'

const waitMs = 300_000
const lookMs = 1_000

/** Roots to search: all files, the system's own directory, and all snapshots. */
async function tops({ mill }: Cluster): Promise<string[]> {
  const found = ['/', '/.gristmill']
  for await (const { path, name } of mill.snapshots.list()) found.push(snapshotPath(path, name))
  return found
}

/** Paths with a lost block, found on the disks. Adds a finding where the cluster's damage report differs. */
export async function lostFiles(cluster: Cluster, add: (finding: string) => void): Promise<Set<string>> {
  await settled(cluster, add)
  await Promise.all(cluster.datanodes.map(node => node.triggerScrub()))
  await settled(cluster, add)
  const sound = new Set<string>()
  for (const node of cluster.datanodes) for (const replica of await node.replicas()) if (await replica.sound()) sound.add(replica.block)
  const lost = new Map<string, readonly number[]>()
  for (const directory of await tops(cluster)) for await (const path of filesBelow(cluster, directory)) {
    const blocks: number[] = []
    for await (const { id } of cluster.mill.locate(path)) if (!sound.has(id.toString(16).padStart(16, '0'))) blocks.push(id)
    if (blocks.length > 0) lost.set(path, blocks)
  }
  const told = await damagedFiles(cluster)
  const blocksTold = new Set([...told].flatMap(path => lost.get(path) ?? []))
  for (const [path, blocks] of lost) {
    // After a rollback two versions have the same files, which are named once.
    if (told.has(path) || (/@\d+\//.test(path) && blocks.every(block => blocksTold.has(block)))) continue
    add(`${path}: a block of it is lost, and the report on damage does not name it`)
  }
  for (const path of told) if (!lost.has(path)) add(`${path}: the report on damage names it, and all its blocks are on some disk`)
  return new Set(lost.keys())
}

/** Paths that the cluster reports as damaged. */
export async function damagedFiles(cluster: Cluster): Promise<Set<string>> {
  const damaged = new Set<string>()
  for (const directory of await tops(cluster)) for await (const { files } of cluster.mill.fsck(directory)) {
    for (const { path, found } of files) if (found.some(({ health }) => health === 'missing' || health === 'corrupt')) damaged.add(path)
  }
  return damaged
}

/** Waits until all datanodes have reported and all possible copies are done. */
const settled = (cluster: Cluster, add: (finding: string) => void): Promise<void> =>
  settle(cluster, { what: 'a cluster with lost blocks came to rest', waitMs, lookMs, looks: Math.ceil(confirmMs / lookMs) + 3, unsettled, add })

async function unsettled(cluster: Cluster): Promise<string[]> {
  const [reports, status] = await Promise.all([unreported(cluster), cluster.mill.clusterStatus()])
  const { underReplicated, pendingReplications, pendingDeletions, jobsRunning } = status
  // Lost blocks keep a namenode that has started again in safe mode, in which nothing is deleted, until the operator ends it.
  const left = { underReplicated, pendingReplications, pendingDeletions: status.safeMode ? 0 : pendingDeletions, jobsRunning }
  return [...reports, ...Object.entries(left).filter(([, count]) => count > 0).map(([name, count]) => `${name}: ${count}`)]
}

async function* filesBelow(cluster: Cluster, directory: string): AsyncGenerator<string> {
  for await (const { path, type } of cluster.mill.list(directory)) {
    if (type !== 'directory') {
      yield path
      continue
    }
    yield* filesBelow(cluster, path)
    if (!path.includes('/.snapshot/')) for await (const { path: older } of olderObjects(cluster.mill, path)) yield older
    for (const version of await olderVersions(cluster, path)) yield* filesBelow(cluster, version)
  }
}

/** Older versions of an output, which no listing shows; none for another directory. The versions in a snapshot are not looked for. */
async function olderVersions({ mill }: Cluster, path: string): Promise<string[]> {
  const found: string[] = []
  if (path.includes('/.snapshot/')) return found
  try {
    for await (const { number, head } of mill.versions.list(path)) if (!head) found.push(`${path}@${number}`)
  } catch (error) {
    if (!hasCode(error, 'EINVAL')) throw error
  }
  return found
}
