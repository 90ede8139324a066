// Files that list the running processes of a cluster: `cluster.json` in the home for that of `gristmill up`, which `down` renames to
// `cluster-stopping.json` before it ends them; `embedded.json` in the data directory of an embedded cluster for its owner. The content may
// be outdated: a process counts as running only if its pid still belongs to the process that was recorded. That a home has an embedded
// cluster is recorded elsewhere (embedded/record.ts).

import { hasCode } from '../../src/base/errors.ts'
import { address, clusterId, type Address, type ClusterId } from '../../src/base/ids.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Machine } from '../../src/ports/machine.ts'
import { isText, readHomeFile, writeHomeFile } from './homefile.ts'

export interface RunningProcess {
  readonly role: 'namenode' | 'datanode' | 'gateway'
  readonly id: string
  readonly address: Address
  readonly pid: number
  /** `Machine.born` of the process: identifies it among those that reuse its pid. */
  readonly born: string
  readonly dir: string
  /** A gateway has a URL for each dialect, by its name. Missing: recorded by an earlier version. */
  readonly endpoints?: Readonly<Record<string, string>>
  /** Sources of the settings that `up` was given for it, by name. Missing: recorded by an earlier version. */
  readonly origins?: Readonly<Record<string, string>>
}

export interface Running {
  readonly format: 1
  readonly namenode: Address
  readonly cluster: ClusterId
  readonly secretFile: string
  readonly dir: string
  readonly processes: readonly RunningProcess[]
  /** The processes were told to end, by `down` or by the process that runs them: their end is expected. */
  readonly stopping?: boolean
  /** The namenode of an embedded cluster is behind, and has no datanode. */
  readonly behind?: boolean
  /** Reason why the datanode of an embedded cluster has not started. */
  readonly trouble?: string
}

const clusterFile = (home: string): string => `${home}/cluster.json`
const stoppingFile = (home: string): string => `${home}/cluster-stopping.json`
const ownerFile = (dir: string): string => `${dir}/embedded.json`

/** `namenode`, `datanode1`: the name of its directory. */
export const nameOf = ({ dir }: Pick<RunningProcess, 'dir'>): string => dir.slice(dir.lastIndexOf('/') + 1)

/** The processes of `up`. undefined: none is recorded. Throws CONFIG_INVALID if the file cannot be read: processes may run. */
export async function readCluster(disk: Disk, home: string): Promise<Running | undefined> {
  const running = await readProcesses(disk, clusterFile(home))
  if (running) return running
  const stopped = await readProcesses(disk, stoppingFile(home))
  return stopped && { ...stopped, stopping: true }
}

const readProcesses = (disk: Disk, path: string): Promise<Running | undefined> =>
  readHomeFile(disk, {
    path, format: 1, about: 'the running processes of "gristmill up"',
    advice: 'use the cluster with --cluster host:port and --secret-file meanwhile; once none of its processes runs, remove the file',
    parse: parsed,
  })

/** REQUIRES: the home exists. */
export async function writeCluster(disk: Disk, home: string, running: Running): Promise<void> {
  await writeHomeFile(disk, clusterFile(home), running)
  // Left by a `down` that was killed.
  await disk.remove(stoppingFile(home))
}

/** Records that the processes are being stopped, by a new name of their file: this needs no space on the disk. */
export async function markStopping(disk: Disk, home: string): Promise<void> {
  if (await disk.stat(clusterFile(home))) await disk.rename(clusterFile(home), stoppingFile(home))
}

export async function forgetCluster(disk: Disk, home: string): Promise<void> {
  for (const file of [clusterFile(home), stoppingFile(home)]) await disk.remove(file)
}

/**
 * The owner of an embedded cluster. undefined if the file is missing or cannot be understood: whether there is an owner is decided by
 * the lock of the directory, not by this file.
 */
export async function readOwner(disk: Disk, dir: string): Promise<Running | undefined> {
  try {
    return await readHomeFile(disk, {
      path: ownerFile(dir), format: 1, about: 'the owner of an embedded cluster', advice: 'remove it', parse: parsed,
    })
  } catch (error) {
    if (hasCode(error, 'CONFIG_INVALID')) return undefined
    throw error
  }
}

export const writeOwner = (disk: Disk, dir: string, running: Running): Promise<void> => writeHomeFile(disk, ownerFile(dir), running)

export const forgetOwner = (disk: Disk, dir: string): Promise<void> => disk.remove(ownerFile(dir))

function parsed(found: Readonly<Record<string, unknown>>): Running | undefined {
  const { namenode, secretFile, dir, processes, cluster } = found
  if (!isText(namenode) || !isText(secretFile) || !isText(dir) || !isText(cluster) || !isProcesses(processes)) return undefined
  return { ...found as unknown as Running, namenode: address(namenode), cluster: clusterId(cluster), processes }
}

export const isProcesses = (value: unknown): value is RunningProcess[] =>
  Array.isArray(value)
  && value.every(each => Number.isSafeInteger((each as Partial<RunningProcess> | null)?.pid) && isText(each.born) && isText(each.dir))

export const isAlive = (machine: Machine, { pid, born }: Pick<RunningProcess, 'pid' | 'born'>): boolean => machine.born(pid) === born

/** Processes that still run. */
export const living = (machine: Machine, running: Running): RunningProcess[] => running.processes.filter(each => isAlive(machine, each))
