// Entries of local directories, for patterns.

import type { Disk, DiskEntry } from '../../src/ports/disk.ts'
import type { GlobEntry } from './expand.ts'

/**
 * A link counts as a directory if its target is one. One whose target cannot be seen, because it leads to itself or through a directory
 * that may not be searched, is a name like others: a pattern that does not match it must not fail by it.
 */
export async function localEntry(disk: Disk, path: string, { name, kind }: DiskEntry): Promise<GlobEntry> {
  if (kind !== 'other') return { name, directory: kind === 'directory', link: false }
  const target = await disk.stat(path, { follow: true }).catch((error: unknown) => {
    if (unseen.has((error as NodeJS.ErrnoException).code)) return undefined
    throw error
  })
  return { name, directory: target?.kind === 'directory', link: true }
}

const unseen: ReadonlySet<unknown> = new Set(['ELOOP', 'EACCES', 'EPERM', 'ENAMETOOLONG'])
