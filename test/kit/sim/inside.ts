// White-box checks of a healed and quiet simulated cluster, which need access to the simulated computers: the namenode's state equals the
// replay of its journal, byte for byte, its totals are those of a count, and no stray file is left on any disk.

import { recount } from '../../../namenode/admin/recount.ts'
import { factsOf } from '../../../namenode/backup/digest.ts'
import { replay } from '../../../namenode/backup/replay.ts'
import { backupsIn } from '../../../namenode/backup/backupdir.ts'
import { unseal } from '../../../namenode/journal/codec.ts'
import { countersKey, decodeCounters } from '../../../namenode/journal/counters.ts'
import { reach, salvage } from '../../../namenode/journal/salvage.ts'
import { Memo, StoreView } from '../../../namenode/journal/view.ts'
import type { World } from '../../../src/ports/world.ts'
import type { SimCluster } from './cluster.ts'
import type { Host } from './host.ts'

/** Files expected on a datanode's disk: identity, blocks, trash and quarantine, programs and logs, some of which are kept for a while. */
const expected =
  /^\/disk\d+\/(gristmill\.json|epoch\.json|scrub\.json|blocks\/[0-9a-f]{2}\/[0-9a-f]{16}(\.meta)?|(trash|quarantine|quarantine\/last)\/[0-9a-f]{16}(\.meta)?|programs\/[0-9a-f]{64}\.mjs|logs\/.+\.log)$/
const waitMs = 90_000
const lookMs = 5_000

/** Stops the namenode. Returns one line for each violation. */
export async function lookInside(cluster: SimCluster, { trashKeepMs }: { readonly trashKeepMs: number }): Promise<string[]> {
  const { namenode, datanodes, kernel } = cluster
  const known = kernel.errors.length
  for (const node of [namenode, ...datanodes]) node.checkState()
  const hosts = datanodes.map(({ host }) => host)
  const left = (): string[] => [
    ...hosts.flatMap(host => strays(host, trashKeepMs).map(path => `nothing is left over on disks: ${host.name} has ${path}`)),
    ...Object.entries(namenode.open).flatMap(([name, count]) =>
      count > 0 ? [`nothing is left over in the namenode: there are ${count} ${name}`] : [],
    ),
  ]
  // Leases and trash expire in their own time.
  for (let waited = 0; waited < waitMs && left().length > 0; waited += lookMs) await cluster.advance(lookMs)
  const found = left()
  await namenode.stop()
  const drifted = await namenode.offline(world => differences(world))
  const wrong = await namenode.offline(world => compare(world))
  const errors = kernel.errors.slice(known).map(error => `no error is unhandled: ${error}`)
  return [...errors, ...found, ...drifted, ...wrong === undefined ? [] : [`the state is the sum of its journal: ${wrong}`]]
}

function strays({ files }: Host, trashKeepMs: number): string[] {
  // Trash that is kept for longer than the wait is allowed to stay.
  const gone = trashKeepMs < waitMs ? /\/trash\// : /^$/
  return [...files.keys()].filter(path => !expected.test(path) || gone.test(path))
}

/** Counts the state, as fsck does. */
async function differences(world: World): Promise<string[]> {
  const store = await world.openStore('/namenode/store')
  const sealed = store.table('meta').get(countersKey)
  const counters = decodeCounters(unseal('meta', countersKey, sealed!))
  const steps = recount(new StoreView(store, counters, new Memo(), error => { throw error }))
  for (let step = steps.next(); ; step = steps.next()) {
    if (!step.done) continue
    return step.value.differences.map(({ what, kept, found, path }) =>
      `the namenode's totals are right: ${path === undefined ? '' : `${path}: `}${what}: it keeps ${kept}, and there are ${found}`)
  }
}

/** Replays the journal, from the beginning or from the last backup. Returns a description of a difference, or undefined. */
async function compare(world: World): Promise<string | undefined> {
  const journal = await salvage(world.disk, '/namenode/journal')
  const state = await factsOf(world, '/namenode/store')
  const seq = state.counters!.appliedSeq
  const backup = (await backupsIn(world.disk, '/backups')).find(one => reach(journal, one.seq) === seq)
  const fromStart = reach(journal, 0) === seq
  if (!fromStart && !backup) return `nothing leads to operation ${seq}`
  const again = await replay(world, {
    base: fromStart ? undefined : backup!.path, baseSeq: fromStart ? 0 : backup!.seq, until: seq, journal, into: '/again',
  })
  return again === state.digest ? undefined : `operation ${seq} of the journal leads to ${again}, and the store has ${state.digest}`
}
