// Pruning of a local directory (programs with their assets, logs by job): removes the oldest entries until count and bytes are within
// bounds. An entry that cannot be removed stays until the next time and is logged: no job fails because of it, and no newer entry is
// removed in its place.

import { asError } from '../base/errors.ts'
import type { Disk } from '../ports/disk.ts'
import type { Log } from '../ports/log.ts'

interface PruneBounds {
  readonly entries: number
  /** Limit of the bytes of all files, including those in subdirectories; default: none. */
  readonly bytes?: number | undefined
  /** Entries that are kept, whatever their age. */
  readonly keep?: ((name: string) => boolean) | undefined
}

/** Never rejects. */
export async function prune(
  { disk, log }: { readonly disk: Disk; readonly log: Log },
  directory: string, bounds: PruneBounds,
): Promise<void> {
  try {
    const left = await removeOldest(disk, directory, bounds)
    if (left.length > 0)
      log.warn('old entries of a directory cannot be removed; remove them by hand, or make them writable for this user', {
        directory, entries: left.length, first: left[0]!.name, error: left[0]!.error,
      })
  } catch (error) {
    log.warn('old entries of a directory cannot be listed', { directory, error: asError(error) })
  }
}

/** Returns the entries that could not be removed. */
async function removeOldest(
  disk: Disk, directory: string,
  { entries: entriesMax, bytes: bytesMax = Infinity, keep = () => false }: PruneBounds,
): Promise<Array<{ name: string; error: Error }>> {
  const left: Array<{ name: string; error: Error }> = []
  if (!(await disk.stat(directory))) return left
  const listed = await disk.list(directory)
  if (listed.length <= entriesMax && bytesMax === Infinity) return left
  const found: Array<{ name: string; mtimeMs: number; bytes: number }> = []
  for (const { name } of listed) {
    const path = `${directory}/${name}`
    found.push({ name, mtimeMs: (await disk.stat(path))?.mtimeMs ?? 0, bytes: bytesMax === Infinity ? 0 : await sizeOf(disk, path) })
  }
  let entries = found.length
  let bytes = found.reduce((sum, each) => sum + each.bytes, 0)
  for (const each of found.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
    if (entries <= entriesMax && bytes <= bytesMax) break
    if (keep(each.name)) continue
    entries--
    bytes -= each.bytes
    try {
      await disk.removeTree(`${directory}/${each.name}`)
    } catch (error) {
      left.push({ name: each.name, error: asError(error) })
    }
  }
  return left
}

/** 0 for an entry that was removed meanwhile. */
async function sizeOf(disk: Disk, path: string): Promise<number> {
  const found = await disk.stat(path)
  if (found?.kind !== 'directory') return found?.bytes ?? 0
  let bytes = 0
  for (const { name } of await disk.list(path).catch(() => [])) bytes += await sizeOf(disk, `${path}/${name}`)
  return bytes
}
