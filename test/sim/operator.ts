// What an operator does about files that have lost blocks, as the guide says: takes every datanode back into service, waits until
// all have reported, asks what is damaged, removes that (or the snapshot that shows it), and lets go of what belonged to files that are no
// more.

import type { Mill } from 'gristmill'
import type { Cluster } from '../kit/contract.ts'
import { absent, type Acks } from './acks.ts'
import { damagedFiles } from './damage.ts'

const waitMs = 120_000
const lookMs = 500

export interface TidyUp {
  readonly acks: Acks
  /** Is it right that this file is damaged? */
  readonly mayBeDamaged: (path: string) => boolean
  readonly add: (finding: string) => void
}

export async function tidyUp(cluster: Cluster, { acks, mayBeDamaged, add }: TidyUp): Promise<void> {
  const { mill } = cluster
  // Who has been taken back since a backup was made is being emptied again, or is away, as far as the old state knows.
  for (const { node } of (await mill.clusterStatus()).nodes) await mill.nodes.recommission(node)
  await mill.nodes.stopBalance()
  await settled(cluster)
  for (const path of await damagedFiles(cluster)) {
    // Of what jobs write on the way nobody was told.
    const ours = !path.startsWith('/.gristmill')
    if (ours && !mayBeDamaged(path)) add(`${path}: has lost blocks, though nobody touched it since the backup was made`)
    const [, directory, name] = /^(.*)\/\.snapshot\/([^/]+)\//.exec(path) ?? []
    if (directory !== undefined && name !== undefined) {
      if (await removeSnapshot(mill, directory, name))
        acks.derive(new Map(acks.paths.filter(each => each.startsWith(`${directory}/.snapshot/${name}/`)).map(each => [each, [absent]])))
      continue
    }
    await mill.rm(path, { skipTrash: true })
    // Of an output that has lost a part nothing is claimed any more.
    acks.forget(acks.paths.filter(each => path.startsWith(`${each}/`) && acks.possible(each).some(({ kind }) => kind === 'output')))
    if (ours) acks.begin(new Map([[path, absent]])).acknowledged()
  }
  if ((await mill.safeMode()).on) await mill.safeMode('leave')
  await mill.releaseLost()
}

/** false: it has gone for another file already. */
async function removeSnapshot(mill: Mill, directory: string, name: string): Promise<boolean> {
  for await (const snapshot of mill.snapshots.list(directory)) {
    if (snapshot.name !== name) continue
    await mill.snapshots.rm(directory, name)
    return true
  }
  return false
}

/** All datanodes have told what they hold. */
async function settled(cluster: Cluster): Promise<void> {
  for (let waited = 0; waited < waitMs; waited += lookMs) {
    await cluster.advance(lookMs)
    const [{ nodes }, { awaited }] = await Promise.all([cluster.mill.clusterStatus(), cluster.mill.safeMode()])
    if (awaited === 0 && cluster.datanodes.every(({ id }) => nodes.some(({ node, state }) => node === id && state === 'live'))) return
  }
}
