// Directory of backups: a mark with the cluster's id, and one directory per backup, named after its last operation, with the
// copied store and a manifest (docs/format/backup.md).
// INVARIANT: a backup with a manifest was complete, and every value was verified before the manifest was written.

import { asError, GristmillError } from '../../src/base/errors.ts'
import type { ClusterId } from '../../src/base/ids.ts'
import { makeDirectory } from '../../src/home/directory.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { World } from '../../src/ports/world.ts'
import { factsOf, type Facts } from './digest.ts'

const markName = 'gristmill-backups.json'
const manifestName = 'manifest.json'
export const partialName = '.partial'
const nameForm = /^[0-9a-f]{16}$/

export interface Manifest {
  readonly format: 1
  readonly cluster: ClusterId
  /** Id of the namenode that made it. */
  readonly namenode: string
  readonly epoch: number
  /** Number of its last operation. */
  readonly seq: number
  readonly createdMs: number
  readonly rows: number
  readonly digest: string
  readonly files: number
  readonly directories: number
  readonly blocks: number
  /** Size of the copied store. */
  readonly bytes: number
}

export interface Backup extends Manifest { readonly path: string }

export const backupPath = (dir: string, seq: number): string => `${dir}/${seq.toString(16).padStart(16, '0')}`

/** Marks a directory as this cluster's. Throws DIR_FOREIGN if it contains anything else. */
export async function claim(disk: Disk, dir: string, cluster: ClusterId): Promise<void> {
  try {
    await makeDirectory(disk, dir)
  } catch (error) {
    throw new GristmillError(
      'EACCES',
      `cannot make the directory ${dir} for backups (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
      { cause: error, details: { dir } },
    )
  }
  const owner = await ownerOf(disk, dir)
  // The writer of the mark may have died before the mark was durable.
  if (owner === cluster) return disk.syncDir(dir)
  if (owner !== undefined)
    throw new GristmillError(
      'DIR_FOREIGN',
      `${dir} holds the backups of cluster ${owner}, and this one is ${cluster}; give another directory`,
      { details: { dir } },
    )
  const others = (await disk.list(dir)).map(entry => entry.name).filter(name => name !== 'lost+found')
  if (others.length > 0)
    throw new GristmillError(
      'DIR_FOREIGN',
      `${dir} is not a directory of backups and is not empty (it holds ${others.slice(0, 3).join(', ')}); give an empty one`,
      { details: { dir } },
    )
  await disk.writeFileDurable(`${dir}/${markName}`, Buffer.from(`${JSON.stringify({ format: 1, cluster })}\n`), { mode: 0o600 })
}

async function ownerOf(disk: Disk, dir: string): Promise<string | undefined> {
  const path = `${dir}/${markName}`
  if (!await disk.stat(path)) return undefined
  const mark = parse<{ format: unknown; cluster: unknown }>(await disk.readFile(path))
  if (mark?.format !== 1 || typeof mark.cluster !== 'string')
    throw new GristmillError('DIR_FOREIGN', `${path} cannot be understood; give another directory, or the one of a single backup`, {
      details: { dir },
    })
  return mark.cluster
}

/** Backups in a directory, newest first, or the one backup that the directory is. Backups with an unreadable manifest are skipped. */
export async function backupsIn(disk: Disk, dir: string): Promise<Backup[]> {
  if ((await disk.stat(dir))?.kind !== 'directory') return []
  const own = await manifestOf(disk, dir)
  if (own) return [own]
  const found: Backup[] = []
  for (const { name, kind } of await disk.list(dir)) {
    if (kind !== 'directory' || !nameForm.test(name)) continue
    const backup = await manifestOf(disk, `${dir}/${name}`)
    if (backup) found.push(backup)
  }
  return found.sort((a, b) => b.seq - a.seq)
}

async function manifestOf(disk: Disk, path: string): Promise<Backup | undefined> {
  if (!await disk.stat(`${path}/${manifestName}`)) return undefined
  const manifest = parse<Partial<Manifest>>(await disk.readFile(`${path}/${manifestName}`))
  if (
    manifest?.format !== 1
    || typeof manifest.seq !== 'number'
    || typeof manifest.digest !== 'string'
    || typeof manifest.cluster !== 'string'
  )
    return undefined
  return { ...manifest as Manifest, path }
}

export async function writeManifest(disk: Disk, path: string, manifest: Manifest): Promise<void> {
  await disk.writeFileDurable(`${path}/${manifestName}`, Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`), { mode: 0o600 })
}

/** Removes a backup; the manifest first, so that a partly removed one does not count. */
export async function removeBackup(disk: Disk, path: string): Promise<void> {
  await disk.remove(`${path}/${manifestName}`)
  await disk.removeTree(path)
}

/** Verifies every value of a backup. Throws CORRUPT if it differs from its manifest. */
export async function verifyBackup(world: Pick<World, 'inspectStore'>, backup: Backup): Promise<Facts> {
  let facts: Facts
  try {
    facts = await factsOf(world, backup.path)
  } catch (error) {
    throw new GristmillError('CORRUPT', `the backup ${backup.path} is damaged: ${asError(error).message}`, {
      cause: error, details: { path: backup.path },
    })
  }
  if (facts.digest !== backup.digest || facts.rows !== backup.rows || facts.counters?.appliedSeq !== backup.seq) {
    throw new GristmillError(
      'CORRUPT',
      `the backup ${backup.path} is not what its manifest says: ${facts.rows} rows up to operation ${facts.counters?.appliedSeq ?? 0}, ` +
      `digest ${facts.digest}`,
      { details: { path: backup.path } },
    )
  }
  return facts
}

function parse<T>(bytes: Buffer): T | undefined {
  try {
    return JSON.parse(bytes.toString('utf8')) as T
  } catch {
    return undefined
  }
}
