// Directories whose names survive a power cut. A new name is durable only once its parent directory has been synced.

import path from 'node:path'
import type { Disk } from '../ports/disk.ts'

/**
 * Makes a directory durably, with those above it: each name is synced before the next one is made. The name of the lowest one that
 * exists is synced too, for the process that made it may have died before it did so. Throws what the disk says.
 */
export async function makeDirectory(disk: Disk, directory: string): Promise<void> {
  const missing: string[] = []
  let there = directory
  while (!await disk.stat(there) && path.dirname(there) !== there) {
    missing.unshift(there)
    there = path.dirname(there)
  }
  for (const each of [there, ...missing]) {
    if (each !== there || missing.length === 0) await disk.mkdir(each) // of one that exists: says what is wrong if it is no directory
    await syncParent(disk, path.dirname(each))
  }
}

/**
 * A parent that this user may not read, or that a system without directory syncs refuses to sync, belongs to an operator, not to this
 * process.
 */
async function syncParent(disk: Disk, parent: string): Promise<void> {
  try {
    await disk.syncDir(parent)
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EINVAL', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
