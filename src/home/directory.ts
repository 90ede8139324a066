// Creates directories whose names survive a power cut: a new name is durable only once its parent directory is synced.

import path from 'node:path'
import { GristmillError } from '../base/errors.ts'
import { exhausted, isExhaustion } from '../base/exhaustion.ts'
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

/** Error for a directory that could not be made, locked or written. `what`: the directory, as a message calls it. `advice`: what to do. */
export function unusable(error: unknown, { what, dir, advice }: { what: string; dir: string; advice: string }): GristmillError {
  if (isExhaustion(error)) return exhausted(`cannot use ${what} ${dir}`, error)
  const code = (error as NodeJS.ErrnoException).code ?? String(error)
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new GristmillError(
      'ENOSPC', `cannot use ${what} ${dir}: no space left on device (${code}); free space on its disk`, { cause: error, details: { dir } },
    )
  const why = code === 'EEXIST' ? 'a file is in its place, EEXIST' : code === 'ENOTDIR' ? 'a part of its path is no directory, ENOTDIR' : code
  return new GristmillError('EACCES', `cannot use ${what} ${dir} (${why}); ${advice}`, { cause: error, details: { dir } })
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
