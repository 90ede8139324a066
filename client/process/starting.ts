// File `starting.json` of the processes that `up` has started but that do not all serve yet. If `up` is killed meanwhile, only this file
// names them: `down` and the next `up` end them. The file is removed once the cluster's own file exists, or when no process is left. One
// `up` at a time reads and writes it, and the other files of the home: two that start clusters in different directories exclude each other.

import { GristmillError } from '../../src/base/errors.ts'
import { unusable } from '../../src/home/directory.ts'
import type { Disk, DiskLock } from '../../src/ports/disk.ts'
import type { Machine } from '../../src/ports/machine.ts'
import { isText, makeHome, readHomeFile, writeHomeFile } from '../discovery/homefile.ts'
import { isAlive, isProcesses, type RunningProcess } from '../discovery/running.ts'

interface Starting {
  readonly format: 1
  readonly dir: string
  readonly processes: readonly RunningProcess[]
}

const startingFile = (home: string): string => `${home}/starting.json`

/** Makes this `up` the only one of the home until `release`. Creates the home. Throws DIR_IN_USE if another one is starting. */
export async function startAlone(disk: Disk, home: string): Promise<DiskLock> {
  await makeHome(disk, home)
  // A directory of its own: the home itself may be a data directory, which has a lock of the same name.
  const directory = `${home}/starting`
  let lock: DiskLock | undefined
  try {
    await disk.mkdir(directory)
    lock = await disk.lock(directory)
  } catch (error) {
    throw unusable(error, { what: 'the lock directory of "up",', dir: directory, advice: 'remove what is there, or give another --home' })
  }
  if (lock) return lock
  throw new GristmillError(
    'DIR_IN_USE', `another "up" with the home ${home} is starting a cluster now; wait until it is ready, or give this one another --home`,
    { details: { dir: home } },
  )
}

/** REQUIRES: the home exists. */
export const noteStarting = (disk: Disk, home: string, { dir, processes }: Omit<Starting, 'format'>): Promise<void> =>
  writeHomeFile(disk, startingFile(home), { format: 1, dir, processes } satisfies Starting)

export const forgetStarting = (disk: Disk, home: string): Promise<void> => disk.remove(startingFile(home))

/** Processes of a running or killed `up` that still run; undefined if there are none. Throws CONFIG_INVALID if the file cannot be read. */
export async function readStarting(disk: Disk, machine: Machine, home: string): Promise<Starting | undefined> {
  const found = await readHomeFile<Starting>(disk, {
    path: startingFile(home), format: 1, about: 'the processes of an "up" that was interrupted',
    advice: 'end those of its namenode and datanodes that still run, then remove the file',
    parse: ({ dir, processes }) => (isText(dir) && isProcesses(processes) ? { format: 1, dir, processes } : undefined),
  })
  const processes = found?.processes.filter(process => isAlive(machine, process)) ?? []
  return found && processes.length > 0 ? { ...found, processes } : undefined
}
