// Creates directories whose names survive a power cut: a new name is durable only once its parent directory is synced.

import path from 'node:path'
import type { Disk } from '../ports/disk.ts'

/**
 * Creates a directory durably, with its parents: each name is synced before the next one is created. The name of the lowest
 * existing directory is synced too, since the process that created it may have died before. Throws errors of the disk.
 */
export async function makeDirectory(disk: Disk, directory: string): Promise<void> {
  const missing: string[] = []
  let there = directory
  while (!await disk.stat(there) && path.dirname(there) !== there) {
    missing.unshift(there)
    there = path.dirname(there)
  }
  for (const each of [there, ...missing]) {
    if (each !== there || missing.length === 0) await disk.mkdir(each) // existing: throws if it is no directory
    await syncParent(disk, path.dirname(each))
  }
}

/**
 * Syncs a parent directory. Ignored if this user may not read it, or if the system refuses to sync directories: then it belongs to
 * an operator, not to this process.
 */
async function syncParent(disk: Disk, parent: string): Promise<void> {
  try {
    await disk.syncDir(parent)
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EINVAL', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
