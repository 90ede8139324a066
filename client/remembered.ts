// File in which `gristmill up` remembers the cluster of a home while none of its processes runs: data directory, ports, number of
// datanodes, and the settings given as flags.

import type { Disk } from '../src/ports/disk.ts'

export interface Remembered {
  readonly format: 1
  readonly dir: string
  /** undefined: the secret file in `dir`. */
  readonly secretFile?: string | undefined
  /** undefined: the number of datanode directories. */
  readonly datanodes?: number | undefined
  /** Ports by process name: `namenode`, `datanode2`. */
  readonly ports: Readonly<Record<string, number>>
  /** Settings given as flags, by name, as text. Settings from variables and the settings file are read again each time. */
  readonly said: Readonly<Record<string, string>>
}

const upFile = (home: string): string => `${home}/up.json`
export const clusterDirectory = (home: string): string => `${home}/cluster`
export const logDirectory = (dir: string): string => `${dir}/log`

/** undefined: this home has no cluster of `up`, or its directory was removed. */
export async function readRemembered(disk: Disk, home: string): Promise<Remembered | undefined> {
  const found = await readFile(disk, upFile(home))
  if (found) return await isThere(disk, found.dir) ? found : undefined
  // Written by a version without this file, or unreadable: use the default directory.
  const dir = clusterDirectory(home)
  return await isThere(disk, `${dir}/namenode`) ? { format: 1, dir, ports: {}, said: {} } : undefined
}

export async function remember(disk: Disk, home: string, remembered: Remembered): Promise<void> {
  await disk.writeFileDurable(upFile(home), Buffer.from(`${JSON.stringify(remembered, undefined, 2)}\n`))
}

async function readFile(disk: Disk, path: string): Promise<Remembered | undefined> {
  let text: string
  try {
    text = (await disk.readFile(path)).toString('utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
  try {
    const found = JSON.parse(text) as Remembered
    const good = found.format === 1 && typeof found.dir === 'string' && isTable(found.ports, 'number') && isTable(found.said, 'string')
    return good ? found : undefined
  } catch {
    return undefined
  }
}

const isTable = (value: unknown, of: string): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(each => typeof each === of)

async function isThere(disk: Disk, dir: string): Promise<boolean> {
  try {
    return (await disk.stat(dir, { follow: true }))?.kind === 'directory'
  } catch {
    return false
  }
}
