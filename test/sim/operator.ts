// What an operator does after a namenode was rebuilt from an old backup, as the guide says: takes every datanode back into service, waits
// until all have reported, asks what is damaged, removes that, and lets go of what belonged to files that are no more. What is
// damaged must be what was changed since the backup: of anything else no block may be missing.

import type { Cluster } from '../kit/contract.ts'
import { absent, type Acks, type Mark } from './acks.ts'

const waitMs = 120_000
const lookMs = 500

export async function tidyUp(cluster: Cluster, { acks, mark, add }: { readonly acks: Acks; readonly mark: Mark; readonly add: (finding: string) => void }): Promise<void> {
  const { mill } = cluster
  // Who has been taken back since is being emptied again, or is away, as far as the old state knows.
  for (const { node } of (await mill.clusterStatus()).nodes) await mill.nodes.recommission(node)
  await mill.nodes.stopBalance()
  await settled(cluster)
  const damaged: string[] = []
  for (const directory of ['/', '/.gristmill']) {
    for await (const { files } of mill.fsck(directory)) {
      for (const { path, found } of files) if (found.some(({ health }) => health === 'missing' || health === 'corrupt')) damaged.push(path)
    }
  }
  for (const path of new Set(damaged)) {
    // Of what jobs write on the way nobody was told.
    const ours = !path.startsWith('/.gristmill')
    if (ours && !acks.touchedSince(path, mark)) add(`${path}: has lost blocks, though nobody touched it since the backup was made`)
    await mill.rm(path, { skipTrash: true })
    if (ours) acks.begin(new Map([[path, absent]])).acknowledged()
  }
  if ((await mill.safeMode()).on) await mill.safeMode('leave')
  await mill.releaseLost()
}

/** All datanodes have told what they hold, and what was being copied is there. */
async function settled(cluster: Cluster): Promise<void> {
  for (let waited = 0; waited < waitMs; waited += lookMs) {
    await cluster.advance(lookMs)
    const [{ nodes }, { awaited }] = await Promise.all([cluster.mill.clusterStatus(), cluster.mill.safeMode()])
    if (awaited === 0 && cluster.datanodes.every(({ id }) => nodes.some(({ node, state }) => node === id && state === 'live'))) return
  }
}
