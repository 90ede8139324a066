// Bounds what piles up in a local directory: programs with their assets, logs by job. The oldest go.

import type { Disk } from '../ports/disk.ts'

export interface PruneBounds {
  readonly entries: number
  /** Of all files together, those in directories too; default: any. */
  readonly bytes?: number | undefined
  /** Entries that stay, whatever their age. */
  readonly keep?: ((name: string) => boolean) | undefined
}

export async function prune(disk: Disk, directory: string, { entries: entriesMax, bytes: bytesMax = Infinity, keep = () => false }: PruneBounds): Promise<void> {
  if (!await disk.stat(directory)) return
  const listed = await disk.list(directory)
  if (listed.length <= entriesMax && bytesMax === Infinity) return
  const found: Array<{ name: string; mtimeMs: number; bytes: number }> = []
  for (const { name } of listed) {
    const path = `${directory}/${name}`
    found.push({ name, mtimeMs: (await disk.stat(path))?.mtimeMs ?? 0, bytes: bytesMax === Infinity ? 0 : await sizeOf(disk, path) })
  }
  let entries = found.length
  let bytes = found.reduce((sum, each) => sum + each.bytes, 0)
  for (const each of found.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
    if (entries <= entriesMax && bytes <= bytesMax) return
    if (keep(each.name)) continue
    await disk.removeTree(`${directory}/${each.name}`)
    entries--
    bytes -= each.bytes
  }
}

/** 0 for what has gone meanwhile. */
async function sizeOf(disk: Disk, path: string): Promise<number> {
  const found = await disk.stat(path)
  if (found?.kind !== 'directory') return found?.bytes ?? 0
  let bytes = 0
  for (const { name } of await disk.list(path).catch(() => [])) bytes += await sizeOf(disk, `${path}/${name}`)
  return bytes
}
