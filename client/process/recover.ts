// `gristmill namenode recover`: finds the namenode's directory, reads the epochs that datanodes beside it remember, and runs the
// namenode's recovery.

import { recover, type Recovery } from '../../namenode/backup/recover.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { clusterId, type ClusterId } from '../../src/base/ids.ts'
import type { Settings } from '../../src/base/settings.ts'
import { stampName } from '../../src/home/home.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { World } from '../../src/ports/world.ts'
import type { Seen } from '../../src/protocol/position.ts'
import { embeddedDirectory } from '../discovery/locate.ts'
import { clusterOf, datanodesBeside } from '../discovery/lostnamenode.ts'
import { awayCluster, readRemembered } from '../discovery/remembered.ts'
import { oneDirectory } from './run.ts'

interface RecoverParts {
  readonly settings: Settings
  readonly world: World
  readonly backup?: string | undefined
  readonly dryRun?: boolean | undefined
  readonly epoch?: number | undefined
}

/** Result of a recovery, with the namenode's directory. */
export interface NamenodeRecovery extends Recovery { readonly dir: string }

export async function recoverNamenode({ settings, world, ...options }: RecoverParts): Promise<NamenodeRecovery> {
  const dir = await directoryOf(world.disk, settings)
  return { dir, ...await recover(world, { dir, ...await besideOf(world.disk, dir), ...options }) }
}

/**
 * The directory that --dir names; else the directory in this home of `gristmill namenode`, of `up`, or of the embedded cluster.
 * Throws CONFIG_INVALID if two of them exist, UNAVAILABLE if the data of `up` is not there.
 */
async function directoryOf(disk: Disk, settings: Settings): Promise<string> {
  const { home } = settings
  const own = `${home}/namenode`
  if (settings.dir !== undefined) return oneDirectory(settings, own)
  const embedded = `${embeddedDirectory(home)}/namenode`
  if (settings.cluster === 'embedded') return embedded
  const last = await readRemembered(disk, home)
  if (last?.away !== undefined) throw awayCluster(home, last.remembered.dir, last.away)
  const remembered = last?.remembered
  const wanted = [own, ...remembered ? [`${remembered.dir}/namenode`] : []]
  const there: string[] = []
  for (const dir of wanted) if (await disk.stat(`${dir}/${stampName}`)) there.push(dir)
  if (there.length > 1)
    throw new GristmillError(
      'CONFIG_INVALID',
      `this home has the directories of two namenodes: ${there.join(' and ')}; choose one with --dir`,
    )
  // A directory that is lost completely may still have backups.
  if (there[0] !== undefined) return there[0]
  if (remembered) return wanted[1]!
  return await disk.stat(`${embeddedDirectory(home)}/${stampName}`) && !await disk.stat(own) ? embedded : own
}

/**
 * In an embedded cluster and in one of `up`, datanode directories are beside that of the namenode. If that is lost, its cluster is
 * theirs.
 */
async function besideOf(disk: Disk, dir: string): Promise<{ beside: Seen[]; cluster: ClusterId | undefined }> {
  const { seenIn } = await import('../../datanode/heartbeat/epoch.ts')
  const all = await datanodesBeside(disk, dir.slice(0, dir.lastIndexOf('/')))
  const own = await clusterOf(disk, dir)
  const theirs = new Set(all.map(each => each.cluster))
  const cluster = own ?? (theirs.size === 1 ? [...theirs][0] : undefined)
  const found: Seen[] = []
  for (const each of all) {
    if (each.cluster !== cluster) continue
    // Ignored: the datanode reports errors of its directory itself.
    const seen = await seenIn(disk, each.dir).catch(() => undefined)
    if (seen) found.push(seen)
  }
  return { beside: found, cluster: cluster === undefined ? undefined : clusterId(cluster) }
}
