// Operator's actions after losses, as the guides describe. For files with lost blocks: recommission every datanode, wait until all have
// reported, list the damage, remove damaged files (or the snapshots and versions that show them), and release blocks of files that no
// longer exist.

import type { Mill } from 'gristmill'
import { hasCode } from '../../src/base/errors.ts'
import type { Cluster } from '../kit/contract.ts'
import { absent, type Acks } from './acks.ts'
import { damagedFiles } from './damage.ts'
import { scheduleName } from './schedules.ts'
import { settle, unreported } from './settle.ts'

const waitMs = 120_000
const lookMs = 500
/** More than a datanode needs to register, and than the time after which those that are missing count as dead. */
const doubtMs = 60_000

export interface TidyUp {
  readonly acks: Acks
  /** True if damage to this file is allowed. */
  readonly mayBeDamaged: (path: string) => boolean
  readonly add: (finding: string) => void
}

export async function tidyUp(cluster: Cluster, { acks, mayBeDamaged, add }: TidyUp): Promise<void> {
  const { mill } = cluster
  // In a restored state, nodes that were recommissioned after the backup are decommissioning or in maintenance again.
  for (const { node } of (await mill.clusterStatus()).nodes) await mill.nodes.recommission(node)
  await mill.nodes.stopBalance()
  // A schedule that was followed when the backup was made is followed again, without end; its client has given it up, or killed it since.
  for (const { job, name, state } of await mill.jobs({ limit: 1000 }))
    if (name === scheduleName && state === 'running') await mill.job(job).kill()
  await settle(cluster, { what: 'all datanodes reported', waitMs, lookMs, looks: 3, unsettled: unreported, add })
  // Files that the output shares with an older version are named as those of the version once they are no longer the output's.
  for (let round = 0; round < 2; round++) {
    for (const path of await damagedFiles(cluster)) await remove(path, cluster, { acks, mayBeDamaged, add })
  }
  if ((await mill.safeMode()).on) await mill.safeMode('leave')
  await mill.releaseLost()
}

/** Removes a damaged file, or the snapshot, version or job that has it. */
async function remove(path: string, { mill }: Cluster, { acks, mayBeDamaged, add }: TidyUp): Promise<void> {
  // Intermediate files of jobs are not in the model.
  const ours = !path.startsWith('/.gristmill')
  if (ours && !mayBeDamaged(path)) add(`${path}: has lost blocks, though nobody touched it since the backup was made`)
  const [, above, key, id] = /^(.*)\/\.snapshot\/\.objects\/([^/]+)\/([^/]+)$/.exec(path) ?? []
  if (above !== undefined && key !== undefined && id !== undefined) {
    await mill.objects.rmVersion(`${above}/${key}`, id)
    return
  }
  const [, directory, name] = /^(.*)\/\.snapshot\/([^/]+)\//.exec(path) ?? []
  if (directory !== undefined && name !== undefined) {
    if (await removeSnapshot(mill, directory, name))
      acks.derive(new Map(acks.paths.filter(each => each.startsWith(`${directory}/.snapshot/${name}/`)).map(each => [each, [absent]])))
    return
  }
  const [, version] = /^(.*@\d+)\//.exec(path) ?? []
  if (version !== undefined) {
    await removeVersion(mill, version)
    return
  }
  const [, job] = /^\/\.gristmill\/jobs\/([^/]+)\//.exec(path) ?? []
  if (job !== undefined) {
    await dropJob(mill, job, path)
    return
  }
  await mill.rm(path, { skipTrash: true })
  // An output that has lost a part is no longer compared.
  acks.forget(acks.paths.filter(each => path.startsWith(`${each}/`) && acks.possible(each).some(({ kind }) => kind === 'output')))
  if (ours) acks.begin(new Map([[path, absent]])).acknowledged()
}

/**
 * A namenode whose datanodes have all been replaced by new ones while it was down cannot end its doubt by itself: the operator confirms its
 * directory, as the guide describes. Any other doubt that lasts is a finding.
 */
export async function endDoubt(cluster: Cluster, add: TidyUp['add']): Promise<void> {
  const { mill } = cluster
  for (let waited = 0; waited < doubtMs; waited += lookMs) {
    if ((await mill.safeMode()).doubt === undefined) return
    await cluster.advance(lookMs)
  }
  const { doubt = '' } = await mill.safeMode()
  if (!doubt.startsWith('none of the ')) return add(`the namenode is in doubt though all is healed: ${doubt}`)
  await mill.safeMode('leave')
}

/** Returns false if it was removed for another file already. */
async function removeSnapshot(mill: Mill, directory: string, name: string): Promise<boolean> {
  for await (const snapshot of mill.snapshots.list(directory)) {
    if (snapshot.name !== name) continue
    await mill.snapshots.rm(directory, name)
    return true
  }
  return false
}

async function removeVersion(mill: Mill, version: string): Promise<void> {
  try {
    await mill.versions.rm(version)
  } catch (error) {
    // It was removed for another file already, or with the last snapshot that showed it.
    if (!hasCode(error, 'ENOENT')) throw error
  }
}

/** Removes a file of a job. Where that is refused, a running job is killed, and a kept output or result dropped, as the refusal says. */
async function dropJob(mill: Mill, id: string, path: string): Promise<void> {
  try {
    await mill.rm(path, { skipTrash: true })
  } catch (error) {
    // It went with another file of the job.
    if (hasCode(error, 'ENOENT')) return
    if (!hasCode(error, 'EBUSY')) throw error
    const job = mill.job(id)
    await ((await job.status()).state === 'running' ? job.kill() : job.drop())
  }
}
