// `gristmill namenode recover`: finds the namenode's directory, reads the epochs that datanodes beside it remember, and runs the
// namenode's recovery.

import { recover, type Recovery } from '../../namenode/backup/recover.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { Settings } from '../../src/base/settings.ts'
import { stampName } from '../../src/home/home.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { World } from '../../src/ports/world.ts'
import type { Seen } from '../../src/protocol/position.ts'
import { embeddedDirectory } from '../locate.ts'
import { readRemembered } from '../remembered.ts'
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
  return { dir, ...await recover(world, { dir, beside: await seenBeside(world.disk, dir), ...options }) }
}

/**
 * The directory that --dir names; else the directory in this home of `gristmill namenode`, of `up`, or of the embedded cluster.
 * Throws CONFIG_INVALID if two of them exist.
 */
async function directoryOf(disk: Disk, settings: Settings): Promise<string> {
  const { home } = settings
  const own = `${home}/namenode`
  if (settings.dir !== undefined) return oneDirectory(settings, own)
  const embedded = `${embeddedDirectory(home)}/namenode`
  if (settings.cluster === 'embedded') return embedded
  const remembered = await readRemembered(disk, home)
  const wanted = [own, ...remembered ? [`${remembered.dir}/namenode`] : []]
  const there: string[] = []
  for (const dir of wanted) if (await disk.stat(`${dir}/${stampName}`)) there.push(dir)
  if (there.length > 1)
    throw new GristmillError(
      'CONFIG_INVALID',
      `this home has the directories of two namenodes: ${there.join(' and ')}; choose one with --dir`,
    )
  // A directory that is lost completely may still have backups.
  return there[0] ?? (remembered ? wanted[1]! : await disk.stat(`${embedded}/${stampName}`) && !await disk.stat(own) ? embedded : own)
}

/** In an embedded cluster and in one of `up`, datanode directories are beside that of the namenode. */
async function seenBeside(disk: Disk, dir: string): Promise<Seen[]> {
  const { seenIn } = await import('../../datanode/heartbeat/epoch.ts')
  const parent = dir.slice(0, dir.lastIndexOf('/'))
  const cluster = await clusterOf(disk, dir)
  const found: Seen[] = []
  if (cluster === undefined) return found
  for (const { name } of await disk.list(parent)) {
    if (!/^datanode\d*$/.test(name) || await clusterOf(disk, `${parent}/${name}`) !== cluster) continue
    // Ignored: the datanode reports errors of its directory itself.
    const seen = await seenIn(disk, `${parent}/${name}`).catch(() => undefined)
    if (seen) found.push(seen)
  }
  return found
}

async function clusterOf(disk: Disk, dir: string): Promise<string | undefined> {
  try {
    const { cluster } = JSON.parse((await disk.readFile(`${dir}/${stampName}`)).toString('utf8')) as { cluster?: string }
    return cluster
  } catch {
    return undefined
  }
}
