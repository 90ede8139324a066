// File of the processes that `up` has started but that do not all serve yet. If `up` is killed meanwhile, only this file names
// them: `down` and the next `up` end them. The file is removed once the cluster's own file exists, or when no process is left.

import type { Disk } from '../../src/ports/disk.ts'
import type { Machine } from '../../src/ports/machine.ts'
import { isAlive, type RunningProcess } from '../running.ts'

export interface Starting {
  readonly format: 1
  readonly dir: string
  readonly processes: readonly RunningProcess[]
}

const startingFile = (home: string): string => `${home}/starting.json`

export async function noteStarting(disk: Disk, home: string, { dir, processes }: Omit<Starting, 'format'>): Promise<void> {
  await disk.writeFileDurable(
    startingFile(home),
    Buffer.from(`${JSON.stringify({ format: 1, dir, processes } satisfies Starting, undefined, 2)}\n`),
  )
}

export const forgetStarting = (disk: Disk, home: string): Promise<void> => disk.remove(startingFile(home))

/** Processes of a running or killed `up` that still run; undefined if there are none. */
export async function readStarting(disk: Disk, machine: Machine, home: string): Promise<Starting | undefined> {
  try {
    const found = JSON.parse((await disk.readFile(startingFile(home))).toString('utf8')) as Starting
    if (found.format !== 1 || typeof found.dir !== 'string' || !Array.isArray(found.processes)) return undefined
    const processes = found.processes.filter(process => isAlive(machine, process))
    return processes.length === 0 ? undefined : { ...found, processes }
  } catch (error) {
    if (error instanceof SyntaxError || ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
